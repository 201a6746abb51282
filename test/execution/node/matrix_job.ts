/**
 * The job of the crash matrix: steps, steps side by side, a value, a sleep, a signal, a child and a step that is tried
 * twice. Every step function writes a line into a journal before it returns, and every step that the storage has confirmed
 * adds another, so that the journal shows what happened after any number of deaths.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { Belfry } from "../../../mod.ts";
import type { Storage } from "../../../src/storage/port.ts";

/** The right result of the matrix job. */
export const RIGHT = "load+left+right+signal+child(9)+flaky";

/** Steps of the matrix job that have an effect. */
export const EFFECTS = ["load", "left", "right", "flaky", "write", "child-step"] as const;

/** Writes a line to a journal; one system call, so lines of several processes do not mix. */
export function note(journal: string, line: string): void {
  appendFileSync(journal, `${line}\n`);
}

/** Reads the lines of a journal. */
export function readJournal(journal: string): string[] {
  return readFileSync(journal, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Makes a Belfry with the matrix tasks. `enter` is called when a step's function begins. */
export function matrixBelfry(options: {
  storage: Storage;
  queues: string[];
  claimTtlMs: number;
  concurrency?: number;
  enter?: (step: string) => void;
}): Belfry {
  const { storage, queues, claimTtlMs, concurrency = 10, enter = () => {} } = options;
  const belfry = new Belfry({ storage, queues, claimTtl: claimTtlMs, concurrency, onError: () => {} });
  const effect = (journal: string, step: string): string => {
    enter(step);
    note(journal, `did ${step}`);
    return step;
  };
  belfry.task("matrix-child", async (ctx, input: { journal: string; queue: string }) => {
    await ctx.step("child-step", () => effect(input.journal, "child-step"));
    await ctx.sleep("child-nap", 250);
    return 9;
  });
  belfry.task(
    "matrix",
    async (ctx, input: { journal: string; queue: string }) => {
      const { journal } = input;
      const load = await ctx.step("load", () => effect(journal, "load"));
      const chance = ctx.random();
      const [left, right] = await Promise.all([
        ctx.step("left", () => effect(journal, "left")),
        ctx.step("right", async () => effect(journal, "right")),
      ]);
      await ctx.sleep("nap", 300);
      const signal = await ctx.waitFor<string>("go");
      const child = await ctx.invoke<number>("child", "matrix-child", input, { queue: input.queue });
      const flaky = await ctx.step(
        "flaky",
        ({ tries }) => {
          if (tries === 1) throw new Error("first try");
          return effect(journal, "flaky");
        },
        { retry: { maxAttempts: 3, initial: 250, jitter: "none", backoff: "constant" } },
      );
      await ctx.step("write", () => effect(journal, "write"));
      if (typeof chance !== "number") throw new Error("no chance");
      return [load, left, right, signal, `child(${child})`, flaky].join("+");
    },
    { retry: { maxAttempts: 3, initial: 0 } },
  );
  return belfry;
}
