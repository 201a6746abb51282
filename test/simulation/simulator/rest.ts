/**
 * Does it all come to an end? Liveness: the faults are over, and what was begun must be finished.
 *
 * Queues are opened, schedules catch up with what is due and are paused, and then every job must come to its end. Patience
 * is long but ends: a world in which no job ends for a while, with work left, has lost some.
 */
import { isFinished } from "../../../src/memory/jobs.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { QUEUES } from "./actions.ts";
import type { Ground } from "./ground.ts";
import type { Oracle } from "./oracle.ts";
import type { Timeline } from "./timeline.ts";

/** A world whose faults are over. */
export interface MendedWorld {
  readonly ground: Ground;
  readonly storage: Storage;
  readonly oracle: Oracle;
  readonly timeline: Timeline;
  /** Whether something was violated already. */
  violated(): boolean;
}

/** How long coming to rest may take without any job's end (a backlog may be long), true time; and steps in all. */
const REST_MS = 20 * 60_000;
const REST_STEPS = 60_000;

/** Steps until nothing is left to do; where something stays, the oracle is told. */
export async function comeToRest(world: MendedWorld): Promise<void> {
  await openQueues(world);
  if (!(await stepUntil(world, "catch up with its schedules", () => lagging(world) === null))) return;
  await pauseSchedules(world);
  await stepUntil(
    world,
    "bring its jobs to their end",
    () => unfinished(world) === null,
    async () => {
      // A client that was in the middle of something goes on with it.
      await openQueues(world);
      await pauseSchedules(world);
    },
  );
}

async function openQueues(world: MendedWorld): Promise<void> {
  const open = (name: string): boolean => {
    const settings = world.ground.queue(name);
    return !settings || (!settings.paused && settings.concurrency === null && settings.rate === null);
  };
  const shut = QUEUES.filter((name) => !open(name));
  if (shut.length === 0) return;
  const queues = shut.map((name) => ({ name, paused: false, concurrency: null, rate: null }));
  await carry(world, "putQueues", { now: Math.floor(world.timeline.now), queues });
}

async function pauseSchedules(world: MendedWorld): Promise<void> {
  for (const row of [...world.ground.activeSchedules()]) {
    const record = { ...row, state: "paused" as const };
    const puts = [{ revision: row.revision, record, jobs: [], occurrences: [] }];
    const op = `rest ${row.name} ${row.revision}`;
    await carry(world, "putSchedules", { op, now: Math.floor(world.timeline.now), puts, removes: [], owner: null });
  }
}

async function carry(
  { oracle, storage }: MendedWorld,
  method: "putQueues" | "putSchedules",
  request: unknown,
): Promise<void> {
  const done = oracle.carry({ host: "rest", method, request });
  const ask = storage[method] as unknown as (request: unknown) => Promise<unknown>;
  done(await ask.call(storage, request));
}

/** Steps until something holds. @returns false when it does not come to hold, which is a violation */
async function stepUntil(
  world: MendedWorld,
  what: string,
  holds: () => boolean,
  soothe: () => Promise<void> = async () => {},
): Promise<boolean> {
  const { oracle, timeline } = world;
  let until = timeline.now + REST_MS;
  const last = timeline.steps + REST_STEPS;
  let { ended } = oracle;
  while (!holds()) {
    await soothe();
    if (oracle.ended > ended) {
      ended = oracle.ended;
      until = timeline.now + REST_MS;
    }
    for (let i = 0; i < 20; i++) {
      if (world.violated()) return false;
      if (!(await timeline.step(until)) || timeline.steps > last) {
        const left = lagging(world) ?? unfinished(world);
        oracle.fail(`at rest the world did not ${what}: ${left} is left after ${timeline.now - until + REST_MS} ms`);
        return false;
      }
    }
  }
  return true;
}

/** A schedule whose next occurrence is long due. */
function lagging({ ground, timeline }: MendedWorld): string | null {
  const [first] = ground.activeSchedules();
  // A clock that ran ahead has fired the future already; that passes by itself.
  return first && first.nextAt! < timeline.now - 2000
    ? `schedule ${first.name} at ${first.nextAt! - timeline.now} ms`
    : null;
}

function unfinished({ ground }: MendedWorld): string | null {
  for (const { id, state, attempt, queue, held } of ground.openJobs()) {
    if (!isFinished(state)) return `job ${id} (${state}, attempt ${attempt}, ${queue}, held ${held})`;
  }
  return null;
}
