/**
 * Is what the path names within the reach of a narrowed token? Asked before a route's function is called, so that no route
 * about a single job, schedule or queue can forget it.
 */
import { BelfryError } from "../../src/base/error.ts";
import type { Belfry } from "../../src/belfry.ts";
import { type Access, outOfReach, type ReachedJob } from "./access.ts";
import type { AnyRoute } from "./routes/route.ts";

/** What a path may name. */
export interface Named {
  readonly id?: string;
  readonly name?: string;
  readonly queue?: string;
}

/**
 * Checks what a path names.
 *
 * @throws BelfryError `JOB_UNKNOWN`, `SCHEDULE_UNKNOWN`; Refusal `FORBIDDEN`
 */
export async function checkReach(
  belfry: Belfry,
  access: Access,
  route: Pick<AnyRoute, "narrowed" | "id">,
  { id = "", name = "", queue = "" }: Named,
): Promise<void> {
  switch (route.narrowed) {
    case "refused":
      throw outOfReach("call this route, which is about everything,");
    case "job":
      return access.needJob(id, await readJob(belfry, id));
    case "schedule":
      return needSchedule(belfry, access, name, route.id === "putSchedule");
    case "queue":
      if (!access.rulesQueue(queue)) throw outOfReach(`change queue ${JSON.stringify(queue)}`);
      return;
    case "checked":
    case "open":
      return;
  }
}

/** Reads what of a job reach is about. */
export async function readJob(belfry: Belfry, id: string): Promise<ReachedJob | null> {
  await belfry.engine.open();
  return await belfry.engine.storage.getJob({ id });
}

async function needSchedule(belfry: Belfry, access: Access, name: string, registers: boolean): Promise<void> {
  if (!access.reachesSchedule(name)) throw outOfReach(`use schedule ${JSON.stringify(name)}`);
  const stored = await belfry.schedules.get(name);
  if (stored === null) {
    if (registers) return;
    throw new BelfryError("SCHEDULE_UNKNOWN", `No schedule is named ${JSON.stringify(name)}`);
  }
  const { definition } = stored;
  if (definition !== null && access.reachesJob({ ...definition, schedule: name })) return;
  throw outOfReach(`use schedule ${JSON.stringify(name)}`);
}

/** The place of a job that is to be made: its task's own queue where none is named. */
export function placeOf(
  belfry: Belfry,
  job: { task: string; queue?: string | null | undefined },
  schedule: string | null = null,
): ReachedJob {
  const { task } = job;
  return { task, queue: job.queue ?? belfry.engine.tasks.get(task)?.queue ?? "default", schedule };
}
