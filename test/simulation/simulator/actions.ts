/**
 * What do clients do meanwhile? They register, enqueue, signal, cancel and configure, drawn from a seed.
 *
 * Each action goes through the engine of some host and so through its faulty network. It may fail, but only with the errors
 * that the port and the engine document.
 */

import { BelfryError } from "../../../src/base/error.ts";
import type { Belfry } from "../../../src/belfry.ts";
import type { ScheduleOptions } from "../../../src/schedule/options.ts";
import type { EnqueueOptions } from "../../../src/task/options.ts";
import { pickWeighted, type Random, seededRandom } from "../../../src/testing/random.ts";
import { EXPRESSIONS, ZONES } from "./instants.ts";
import { drawScript, type Op, waitsOf } from "./script.ts";
import type { WorldStorage } from "./world_storage.ts";

/** Kinds of actions. */
export type ActionKind =
  | "enqueue"
  | "register"
  | "signal"
  | "cancel"
  | "retry"
  | "pause"
  | "resume"
  | "remove"
  | "trigger"
  | "backfill"
  | "queue"
  | "purge";

/** One action; its details are drawn from its own seed. */
export interface Action {
  /** Happens before this step. */
  readonly step: number;
  readonly kind: ActionKind;
  readonly host: number;
  readonly seed: number;
}

const KINDS: readonly (readonly [ActionKind, number])[] = [
  ["enqueue", 40],
  ["register", 8],
  ["signal", 14],
  ["cancel", 4],
  ["retry", 5],
  ["pause", 2],
  ["resume", 4],
  ["remove", 1],
  ["trigger", 3],
  ["backfill", 2],
  ["queue", 4],
  ["purge", 2],
];
/** Codes of errors with which an action may fail. */
const ALLOWED = new Set([
  "STORAGE_UNAVAILABLE",
  "JOB_UNKNOWN",
  "JOB_STATE",
  "SCHEDULE_UNKNOWN",
  "SCHEDULE_BROKEN",
  "CLOSED",
]);

const SCHEDULES = ["alpha", "beta", "gamma", "delta"];
/** Queues that jobs go to. */
export const QUEUES: readonly string[] = ["default", "bulk", "slow"];

/** Draws the actions of all clients. */
export function drawActions(random: Random, options: { steps: number; hosts: number; count: number }): Action[] {
  const at = (step: number, kind: ActionKind): Action => ({
    step,
    kind,
    host: random.below(options.hosts),
    seed: random.below(2 ** 31),
  });
  const actions = Array.from({ length: options.count }, () => {
    const kind = pickWeighted(random, KINDS);
    return at(random.below(options.steps), kind);
  });
  // There is work from the start.
  for (let i = 0; i < 3; i++) actions.push(at(i, "register"), at(i, "enqueue"));
  return actions.sort((a, b) => a.step - b.step);
}

/** The schedule that an action edits; null where it edits none. */
export function editedBy({ kind, seed }: Action): string | null {
  return kind === "register" ? pickSchedule(seededRandom(seed)) : null;
}

function pickSchedule(random: Random): string {
  return random.pick(SCHEDULES);
}

/** Performs an action through an engine. @throws the errors that are not allowed */
export async function act(action: Action, belfry: Belfry, worldStorage: WorldStorage): Promise<void> {
  try {
    await DO[action.kind](belfry, seededRandom(action.seed), worldStorage);
  } catch (error) {
    if (!(error instanceof BelfryError && ALLOWED.has(error.code))) throw error;
  }
}

type Do = (belfry: Belfry, random: Random, worldStorage: WorldStorage) => Promise<unknown>;

const DO: Readonly<Record<ActionKind, Do>> = {
  enqueue: (belfry, random) =>
    belfry.enqueueMany(
      Array.from({ length: 1 + random.below(3) }, () => ({
        task: "play",
        input: drawScript(random),
        options: enqueueOptions(random),
      })),
    ),

  register: (belfry, random) => {
    // The name is drawn first: see `editedBy`.
    const name = pickSchedule(random);
    const task = random.chance(0.8) ? "play" : "quick";
    const input = task === "play" ? drawScript(random, 0).slice(0, 2) : null;
    const options = scheduleOptions(random, input);
    const timeZone = random.pick(ZONES);
    return belfry.schedule(name, random.pick(EXPRESSIONS), task, { ...options, timeZone });
  },

  signal: async (belfry, random, worldStorage) => {
    const waits: [string, string][] = [];
    for (const { id, task, input } of worldStorage.openJobs()) {
      if (task === "play") for (const name of waitsOf(JSON.parse(input) as Op[])) waits.push([id, name]);
    }
    if (waits.length === 0) return;
    const [id, name] = random.pick(waits);
    await belfry.job(id).signal(name, `signal ${name}`, random.chance(0.5) ? { key: "once" } : {});
  },

  cancel: async (belfry, random, worldStorage) => {
    const id = someJob(random, worldStorage);
    if (id !== undefined) await belfry.job(id).cancel();
  },

  retry: async (belfry, random, worldStorage) => {
    const failed = [...worldStorage.openJobs()].filter(({ state }) => state === "failed").map(({ id }) => id);
    if (failed.length > 0) await belfry.job(random.pick(failed)).retry();
  },

  pause: (belfry, random) => belfry.schedules.pause(random.pick(SCHEDULES)),
  resume: (belfry, random) =>
    belfry.schedules.resume(random.pick(SCHEDULES), { missed: random.chance(0.5) ? "fire" : "skip" }),
  remove: (belfry, random) => belfry.schedules.remove(random.pick(SCHEDULES)),
  trigger: (belfry, random) => belfry.schedules.trigger(random.pick(SCHEDULES)),

  backfill: async (belfry, random) => {
    const to = belfry.engine.clock.now();
    await belfry.schedules.backfill(random.pick(SCHEDULES), { from: to - random.below(60_000), to });
  },

  queue: (belfry, random) =>
    belfry.queues.configure(random.pick(QUEUES), {
      paused: random.chance(0.15),
      concurrency: random.chance(0.4) ? 1 + random.below(4) : null,
      rate: random.chance(0.2) ? { count: 1 + random.below(3), per: 1000 + random.below(4000) } : null,
    }),

  // What the leader does once a minute, with a retention that is short enough to remove rows.
  purge: async (belfry, random) => {
    const { storage, clock } = belfry.engine;
    const now = clock.now();
    const before = now - 5_000 - random.below(60_000);
    await storage.purge({
      now,
      finishedBefore: before,
      failedBefore: before,
      occurrencesBefore: before - 3_600_000,
      limit: 20,
    });
  },
};

function someJob(random: Random, worldStorage: WorldStorage): string | undefined {
  const ids = [...worldStorage.openJobs()].map(({ id }) => id);
  return ids.length > 0 ? random.pick(ids) : undefined;
}

function enqueueOptions(random: Random): EnqueueOptions {
  const options: EnqueueOptions = {
    queue: random.pick(QUEUES),
    priority: random.below(3),
    retry: { maxAttempts: 1 + random.below(4), initial: 200, max: 2000 },
  };
  if (random.chance(0.2)) options.key = `key ${random.below(10)}`;
  if (random.chance(0.2)) options.delay = random.below(10_000);
  if (random.chance(0.15)) options.expiresIn = 500 + random.below(20_000);
  if (random.chance(0.15)) options.timeout = 1000 + random.below(20_000);
  if (random.chance(0.25)) options.limit = { key: `limit ${random.below(2)}`, concurrency: 2 };
  return options;
}

function scheduleOptions(random: Random, input: unknown): ScheduleOptions {
  return {
    input,
    queue: random.pick(QUEUES),
    catchUp: random.pick(["all", "all", "latest", "none", { within: "30s", max: 3 }] as const),
    overlap: random.pick(["allow", "allow", "skip", "queue", "cancel"] as const),
    retry: { maxAttempts: 2, initial: 200, max: 1000 },
    ...(random.chance(0.2) ? { expiresIn: 2000 + random.below(30_000) } : {}),
    ...(random.chance(0.2) ? { jitter: "2s" } : {}),
    ...(random.chance(0.15) ? { pauseAfterFailures: 2 } : {}),
    ...(random.chance(0.1) ? { maxFires: 1 + random.below(10) } : {}),
  };
}
