/**
 * Does all work finish once the faults are over? The check of liveness.
 *
 * Queues are opened, schedules catch up with what is due and are paused, and then every job must end. The time limit is
 * long: a world in which unfinished jobs are left and none ends for that time has lost work.
 */
import { isFinished } from "../../../src/memory/jobs.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { QUEUES } from "./actions.ts";
import type { Oracle } from "./oracle.ts";
import type { Timeline } from "./timeline.ts";
import type { WorldStorage } from "./world_storage.ts";

/** A world whose faults are over and whose clocks are right. */
export interface RepairedWorld {
  readonly worldStorage: WorldStorage;
  readonly storage: Storage;
  readonly oracle: Oracle;
  readonly timeline: Timeline;
  /** Whether something was violated already. */
  violated(): boolean;
}

/** Limits: true time without any job's end (a backlog may be long), and steps in all. */
const QUIESCE_MS = 20 * 60_000;
const QUIESCE_STEPS = 60_000;

/** Runs steps until nothing is left to do; reports a violation to the oracle where work is left. */
export async function quiesce(world: RepairedWorld): Promise<void> {
  await openQueues(world);
  if (!(await stepUntil(world, "catch up with its schedules", () => lagging(world) === null))) return;
  await pauseSchedules(world);
  await stepUntil(
    world,
    "bring its jobs to their end",
    () => unfinished(world) === null,
    async () => {
      // A client that was in the middle of an action may still close a queue or register a schedule.
      await openQueues(world);
      await pauseSchedules(world);
    },
  );
}

async function openQueues(world: RepairedWorld): Promise<void> {
  const open = (name: string): boolean => {
    const settings = world.worldStorage.queue(name);
    return !settings || (!settings.paused && settings.concurrency === null && settings.rate === null);
  };
  const shut = QUEUES.filter((name) => !open(name));
  if (shut.length === 0) return;
  const queues = shut.map((name) => ({ name, paused: false, concurrency: null, rate: null }));
  await execute(world, "putQueues", { now: Math.floor(world.timeline.now), queues });
}

async function pauseSchedules(world: RepairedWorld): Promise<void> {
  for (const row of [...world.worldStorage.activeSchedules()]) {
    const record = { ...row, state: "paused" as const };
    const puts = [{ revision: row.revision, record, jobs: [], occurrences: [] }];
    const op = `quiesce ${row.name} ${row.revision}`;
    await execute(world, "putSchedules", { op, now: Math.floor(world.timeline.now), puts, removes: [], owner: null });
  }
}

async function execute(
  { oracle, storage }: RepairedWorld,
  method: "putQueues" | "putSchedules",
  request: unknown,
): Promise<void> {
  const done = oracle.beginRequest({ host: "quiesce", method, request });
  const ask = storage[method] as unknown as (request: unknown) => Promise<unknown>;
  done(await ask.call(storage, request));
}

/** Runs steps until a condition holds. @returns false when it never does, which is reported as a violation */
async function stepUntil(
  world: RepairedWorld,
  what: string,
  holds: () => boolean,
  keepOpen: () => Promise<void> = async () => {},
): Promise<boolean> {
  const { oracle, timeline } = world;
  let until = timeline.now + QUIESCE_MS;
  const last = timeline.steps + QUIESCE_STEPS;
  let { ended } = oracle;
  while (!holds()) {
    await keepOpen();
    if (oracle.ended > ended) {
      ended = oracle.ended;
      until = timeline.now + QUIESCE_MS;
    }
    for (let i = 0; i < 20; i++) {
      if (world.violated()) return false;
      if (!(await timeline.step(until)) || timeline.steps > last) {
        const left = lagging(world) ?? unfinished(world);
        oracle.fail(
          `without faults the world did not ${what}: ${left} is left after ${timeline.now - until + QUIESCE_MS} ms`,
        );
        return false;
      }
    }
  }
  return true;
}

/** Describes a schedule whose next occurrence is long due; null: there is none. */
function lagging({ worldStorage, timeline }: RepairedWorld): string | null {
  const [first] = worldStorage.activeSchedules();
  // A host whose clock ran ahead has fired some of the future already: `nextAt` may lie ahead.
  return first && first.nextAt! < timeline.now - 2000
    ? `schedule ${first.name} at ${first.nextAt! - timeline.now} ms`
    : null;
}

function unfinished({ worldStorage }: RepairedWorld): string | null {
  for (const { id, state, attempt, queue, held } of worldStorage.openJobs()) {
    if (!isFinished(state)) return `job ${id} (${state}, attempt ${attempt}, ${queue}, held ${held})`;
  }
  return null;
}
