/**
 * Chaos on any storage: jobs of 50 steps run on eight workers, of which one dies again and again.
 *
 * A worker that dies here is disconnected from the storage for good, in the middle of whatever it does: each of its calls
 * arrives or not, and none is answered. (The tests in `node/` kill real processes.) Real time passes, since most storages
 * need it to answer; deaths come by number of calls, so that a slow machine has as many as a fast one.
 */
import { expect } from "vitest";
import { Belfry } from "../../mod.ts";
import type { SaveReply, SaveRequest, Storage } from "../../src/storage/port.ts";
import { seededRandom } from "../../src/testing/mod.ts";

/** Size and pace of a chaos run. */
export interface ChaosOptions {
  workflows: number;
  steps: number;
  workers: number;
  /** Calls to the storage between two deaths, on average. */
  deathEveryCalls: number;
  claimTtlMs: number;
  seed: number;
  limitMs: number;
}

/** What happened in a chaos run. */
export interface ChaosReport {
  deaths: number;
  effects: number;
  ms: number;
}

interface Life {
  dead: boolean;
}

/** Runs chaos on a storage and checks every job. @param open opens the storage again, as another process would */
export async function chaos(open: () => Promise<Storage>, options: ChaosOptions): Promise<ChaosReport> {
  const { workflows, steps, workers, deathEveryCalls, claimTtlMs, seed, limitMs } = options;
  const random = seededRandom(seed);
  const did = new Map<string, number>();
  const saved = new Set<string>();
  const again: string[] = [];
  const base = await open();
  let calls = 0;

  const launch = (): void => {
    const life: Life = { dead: false };
    const belfry = new Belfry({
      storage: mortal(base, life, random.next, saved, () => calls++),
      claimTtl: claimTtlMs,
      onError: () => {},
    });
    belfry.task(
      "workflow",
      async (ctx, input: { name: string }) => {
        let sum = 0;
        for (let i = 0; i < steps; i++) {
          sum += await ctx.step("s", async () => {
            await new Promise((resolve) => setTimeout(resolve, 2));
            // A step of a dead worker has no effect.
            if (life.dead) return new Promise<number>(() => {});
            const effect = `${ctx.job.id} ${i === 0 ? "s" : `s#${i + 1}`}`;
            if (saved.has(effect)) again.push(effect);
            did.set(effect, (did.get(effect) ?? 0) + 1);
            return i;
          });
          if (i % 10 === 9) await ctx.sleep("rest", 20);
        }
        return `${input.name} ${sum}`;
      },
      // On a slow storage workers could die faster than anything is saved.
      { retry: 50 },
    );
    // The calls of a dead worker are never answered, so its loop ends with an error when their time is over.
    belfry.run({ schedule: false }).catch((error) => {
      if (!life.dead) failed.push(error);
    });
    lives.push(life);
  };
  const lives: Life[] = [];
  const failed: unknown[] = [];

  const enqueuer = new Belfry({ storage: base });
  const ids: string[] = [];
  for (let i = 0; i < workflows; i++) ids.push((await enqueuer.enqueue("workflow", { name: `w${i}` })).id);
  for (let i = 0; i < workers; i++) launch();

  const start = performance.now();
  let deaths = 0;
  let unfinished = ids;
  let deathAt = deathEveryCalls;
  while (unfinished.length > 0 && performance.now() - start < limitMs) {
    if (calls < deathAt) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      const states = await Promise.all(unfinished.map((id) => enqueuer.jobs.get(id)));
      unfinished = unfinished.filter((_, i) => states[i]!.state !== "completed" && states[i]!.state !== "failed");
      continue;
    }
    deathAt = calls + deathEveryCalls * 2 * random.next();
    const living = lives.filter((life) => !life.dead);
    living[Math.floor(random.next() * living.length)]!.dead = true;
    deaths++;
    launch();
  }
  const ms = performance.now() - start;
  expect(failed).toEqual([]);
  // All share one storage, so none of the workers closes it.
  for (const life of lives) life.dead = true;

  const sum = (steps * (steps - 1)) / 2;
  for (const [i, id] of ids.entries()) {
    const job = (await enqueuer.jobs.get(id))!;
    expect(job, JSON.stringify(job.error)).toMatchObject({ state: "completed", output: `w${i} ${sum}` });
  }
  expect(again).toEqual([]);
  expect(did.size).toBe(workflows * steps);
  const effects = [...did.values()].reduce((total, count) => total + count, 0);
  // A death can repeat at most the steps that its worker was running.
  expect(effects - did.size).toBeLessThanOrEqual(deaths * workflows);
  await enqueuer.close();
  return { deaths, effects, ms };
}

/** Wraps a storage for a worker that may die in the middle of a call. */
function mortal(storage: Storage, life: Life, random: () => number, saved: Set<string>, onCall: () => void): Storage {
  const never = new Promise<never>(() => {});
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      if (key === "close") return async () => {};
      if (key === "listen") {
        return async (onWake: (wake: never) => void) =>
          (value as (onWake: (wake: never) => void) => Promise<() => Promise<void>>).call(target, (wake) => {
            if (!life.dead) onWake(wake);
          });
      }
      return async (...args: unknown[]) => {
        if (life.dead) return never;
        onCall();
        const lostOnTheWay = random() < 0.5;
        await null;
        if (life.dead && lostOnTheWay) return never;
        const reply = await (value as (...args: unknown[]) => unknown).apply(target, args);
        // A step that was stored counts as saved, also when the answer was lost.
        if (key === "save") confirm(args[0] as SaveRequest, reply as SaveReply, saved);
        return life.dead ? never : reply;
      };
    },
  });
}

function confirm(request: SaveRequest, reply: SaveReply, saved: Set<string>): void {
  const held = new Set(reply.saved.map((answer) => answer.id));
  for (const write of request.writes) {
    if (!held.has(write.id)) continue;
    for (const step of write.steps)
      if (step.kind === "step" && step.state === "done") saved.add(`${write.id} ${step.name}`);
  }
}
