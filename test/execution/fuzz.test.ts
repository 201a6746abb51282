/**
 * Random programs, killed at random storage calls: whatever the shape of the code, each branch gets its own results, and
 * a saved step does not run again.
 *
 * Programs are trees of sequences, `Promise.all`, `Promise.race` and `try`, over steps, sleeps, waits and values that
 * share a few names. Every result names its place in the code, so a branch that got another branch's result is found.
 */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { signalJob } from "../../src/job/control.ts";
import type { Storage } from "../../src/storage/port.ts";
import type { Context } from "../../src/task/context.ts";
import { FatalError } from "../../src/task/retry.ts";
import { type Random, seededRandom } from "../../src/testing/mod.ts";
import { Bench, type Node } from "./harness.ts";

const environment = (globalThis as { process?: { env: Record<string, string | undefined> } }).process?.env ?? {};
const long = environment["BELFRY_LONG"] === "1";
/** workerd has no files and no node:sqlite. */
const sqliteHere = environment["BELFRY_STAGE"] !== "workerd";

type Program =
  | { do: "step"; name: string; ms: number; fails: boolean }
  | { do: "sleep"; name: string; ms: number }
  | { do: "wait"; name: string; ms: number }
  | { do: "value" }
  | { do: "child"; name: string; ms: number; fails: boolean }
  | { do: "hops"; count: number }
  | { do: "seq" | "all" | "race" | "settled"; of: Program[] };

function pick<T>(random: Random, of: readonly T[]): T {
  return of[Math.floor(random.next() * of.length)]!;
}

function makeProgram(random: Random, depth: number): Program {
  if (depth > 0 && random.next() < 0.6) {
    const of = Array.from({ length: 2 + Math.floor(random.next() * 3) }, () => makeProgram(random, depth - 1));
    return { do: pick(random, ["seq", "seq", "all", "race", "settled"] as const), of };
  }
  const name = pick(random, ["a", "b", "c"]);
  switch (pick(random, ["step", "step", "step", "sleep", "wait", "value", "hops", "child"] as const)) {
    case "step":
      return { do: "step", name, ms: pick(random, [0, 0, 5, 50, 3_000]), fails: random.next() < 0.15 };
    case "sleep":
      return { do: "sleep", name, ms: pick(random, [1, 100, 5_000, 86_400_000]) };
    case "wait":
      return { do: "wait", name, ms: pick(random, [10, 60_000]) };
    case "child":
      return { do: "child", name, ms: pick(random, [0, 100, 5_000]), fails: random.next() < 0.2 };
    case "hops":
      return { do: "hops", count: Math.floor(random.next() * 20) };
    default:
      return { do: "value" };
  }
}

/** Runs a program; `place` says where in the code an operation stands, `entered` is called by step functions that run. */
async function runProgram(
  ctx: Context,
  program: Program,
  place: string,
  entered: (place: string) => void,
  bench: Bench,
): Promise<string> {
  switch (program.do) {
    case "step": {
      const { name, ms, fails } = program;
      try {
        const answer = await ctx.step(name, async () => {
          entered(place);
          if (ms > 0) await new Promise<void>((resolve) => void bench.clock.setTimer(ms, resolve));
          if (fails) throw new Error(place);
          return { place };
        });
        if (answer.place !== place) throw new Error(`WRONG: ${place} got ${answer.place}`);
        return place;
      } catch (error) {
        const { message } = error as Error;
        if (message !== place) throw error;
        return `!${place}`;
      }
    }
    case "sleep":
      await ctx.sleep(program.name, program.ms);
      return "";
    case "wait":
      return String(await ctx.waitFor(program.name, { timeout: program.ms, signal: "go" }));
    case "value":
      return String(ctx.random());
    case "child": {
      const { name, ms, fails } = program;
      const child = ctx.invoke<string>(name, "child", { place, ms, fails });
      const answer = await child.catch((error: Error) => String((error.cause as Error).message));
      if (answer !== place) throw new Error(`WRONG: ${place} got ${answer}`);
      return answer;
    }
    case "hops":
      for (let i = 0; i < program.count; i++) await null;
      return "";
    case "seq": {
      let text = "";
      for (const [i, part] of program.of.entries())
        text += await runProgram(ctx, part, `${place}.${i}`, entered, bench);
      return text;
    }
    default: {
      const parts = program.of.map((part, i) => runProgram(ctx, part, `${place}.${i}`, entered, bench));
      if (program.do === "race") return Promise.race(parts);
      if (program.do === "all") return (await Promise.all(parts)).join("|");
      return JSON.stringify(await Promise.allSettled(parts));
    }
  }
}

async function endOf(
  program: Program,
  seed: number,
  crashes: { calls: number; arrives: boolean }[],
  storage: Storage,
): Promise<string> {
  const bench = new Bench(storage);
  bench.tasks.define("random", async (ctx) => runProgram(ctx, program, "p", () => {}, bench), {
    retry: { maxAttempts: 100 },
  });
  bench.tasks.define(
    "child",
    async (ctx, input: { place: string; ms: number; fails: boolean }) => {
      if (input.ms > 0) await ctx.sleep("nap", input.ms);
      return ctx.step("answer", () => {
        if (input.fails) throw new FatalError(input.place);
        return input.place;
      });
    },
    { retry: { maxAttempts: 100 } },
  );
  const starter = bench.node();
  const { id } = await starter.enqueue("random");
  const random = seededRandom(seed);
  const nodes: Node[] = [];
  const launch = (): Node => {
    const node = bench.node();
    const crash = crashes.shift();
    if (crash) node.crashAfter(crash.calls, crash.arrives);
    node.start();
    nodes.push(node);
    return node;
  };
  let live = launch();
  for (let round = 0; round < 200; round++) {
    await bench.clock.advance(pick(random, [1, 20, 1_000, 31_000, 86_400_000]));
    if (live.dead) live = launch();
    const job = await starter.job(id);
    if (job.state === "completed" || job.state === "failed") {
      const alive = nodes.filter((node) => !node.dead);
      // A worker that dies during its shutdown would never end it, so the test does not wait for it.
      for (const node of alive) node.crashAfter(Infinity, false);
      await Promise.all(alive.map((node) => node.stop()));
      if (job.state === "failed") return `failed: ${job.error?.message}`;
      return String(job.output);
    }
    if (random.next() < 0.3) await signalJob(starter.engine, id, "go", `signal-${round}`).catch(() => {});
  }
  throw new Error(`seed ${seed} does not end: ${JSON.stringify(await starter.job(id), null, 1)}`);
}

/** Runs the programs of so many seeds; each must give every branch its own results. */
async function fuzz(from: number, count: number, open: () => Promise<Storage>): Promise<void> {
  for (let seed = from; seed < from + count; seed++) {
    const program = makeProgram(seededRandom(seed), 4);
    const random = seededRandom(seed + 1_000_000);
    const crashes = Array.from({ length: Math.floor(random.next() * 6) }, () => ({
      calls: Math.floor(random.next() * 6),
      arrives: random.next() < 0.5,
    }));
    const end = await endOf(program, seed, crashes, await open());
    expect(end, `seed ${seed}: ${JSON.stringify(program)}`).not.toMatch(/WRONG|failed|MISMATCH/);
  }
}

describe("random programs killed at random calls give every branch its own answers", () => {
  test("on memory", () => fuzz(1, long ? 5_000 : 200, async () => memory()), 600_000);

  test("on SQLite", async () => {
    if (!sqliteHere) return;
    await fuzz(1, long ? 1_000 : 20, async () => {
      const storage = sqlite(":memory:");
      await storage.migrate({ now: 0 });
      return storage;
    });
  }, 600_000);
});
