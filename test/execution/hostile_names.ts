/**
 * Names that could be taken for those of the engine's own records, and a job that gives one name to all its durable calls:
 * steps, repeated steps, a sleep, a wait and children, beside values, a patch, a version and a failed attempt.
 */
import { expect } from "vitest";
import { signalJob } from "../../src/job/control.ts";
import type { Job } from "../../src/job/view.ts";
import type { Storage } from "../../src/storage/port.ts";
import { Bench } from "./harness.ts";

/** Valid names that could be taken for something else. */
export const HOSTILE_NAMES: readonly string[] = [
  "attempt()",
  "version()",
  "now()",
  "now()#2",
  "random()",
  "uuid()",
  "patched(gate)",
  "patched(patched(gate))",
  "#2",
  "a#2",
  "##",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "0",
  "-1",
  "%00",
  "\\u0000",
  "\\n",
  "a b",
  "a:b/c?d=e&f",
  "'; DROP TABLE belfry_steps; --",
  '{"name":"now()"}',
  "$1 ?1 :name @p",
  "🔔",
  "e\u0301",
  "x".repeat(256),
];

const MINUTE = { maxAttempts: 2, initial: "1m", backoff: "constant", jitter: "none" } as const;

/** What one job did. */
interface Traces {
  ran: string[];
  values: Set<string>;
}

/** Runs a job for each name, which gives that name to every durable call, and expects that each call is done once. */
export async function runHostile(storage: Storage, names: readonly string[]): Promise<void> {
  const bench = new Bench(withoutTime(storage));
  const traces = new Map(names.map((name): [string, Traces] => [name, { ran: [], values: new Set() }]));
  bench.tasks.define("child", (_ctx, input: string) => `child ${input}`);
  bench.tasks.define(
    "job",
    async (ctx, name: string) => {
      const { ran, values } = traces.get(name)!;
      const patched = ctx.patched("gate");
      const recordValues = (): void => {
        values.add(JSON.stringify([ctx.now(), ctx.random(), ctx.uuid(), patched]));
      };
      recordValues();
      const outputs: unknown[] = [];
      const step = async (output: string): Promise<void> => {
        outputs.push(await ctx.step(name, () => ran.push(output) && output));
      };
      await step("first");
      await step("second");
      await ctx.sleep(name, "1h");
      outputs.push(await ctx.waitFor(name, { signal: name }));
      recordValues();
      outputs.push(await ctx.invoke<string>(name, "child", "invoked"));
      await ctx.spawn(name, "child", "spawned");
      await step("third");
      if (ctx.job.attempt === 1) throw new Error("the first attempt fails after progress");
      await step("fourth");
      return outputs;
    },
    { version: "1", retry: MINUTE },
  );
  const node = bench.node();
  const ids: string[] = [];
  for (const name of names) ids.push((await node.enqueue("job", name)).id);
  await node.worker.runReady();
  for (const [i, name] of names.entries()) await signalJob(node.engine, ids[i]!, name, "sent");
  for (const wait of ["1h", "1m"]) {
    await bench.clock.advance(wait);
    await node.worker.runReady();
  }
  expect(node.errors).toEqual([]);
  for (const [i, name] of names.entries()) expectOnce(name, await node.job(ids[i]!), traces.get(name)!);
}

function expectOnce(name: string, job: Job, { ran, values }: Traces): void {
  expect(job).toMatchObject({
    input: name,
    state: "completed",
    attempt: 2,
    output: ["first", "second", "sent", "child invoked", "third", "fourth"],
  });
  expect(ran, name).toEqual(["first", "second", "third", "fourth"]);
  // Four runs (begun, woken by time and signal, woken by the child, the second attempt) saw the same two sets of values.
  expect(values.size, name).toBe(2);
  expect(job.steps.filter(({ kind }) => kind === "value").map((step) => step.name)).toEqual([
    "now()",
    "random()",
    "uuid()",
    "now()#2",
    "random()#2",
    "uuid()#2",
  ]);
  expect(job.steps.filter(({ kind }) => kind !== "value" && kind !== "patch").map((step) => step.name)).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((n) => (n === 1 ? name : `${name}#${n}`)),
  );
}

/** Wraps a storage so that it reports no time: the test's clock is the only one. */
function withoutTime(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        const answer: unknown = await value.apply(target, args);
        if (typeof answer !== "object" || answer === null || !("time" in answer)) return answer;
        const { time: _, ...rest } = answer;
        return rest;
      };
    },
  });
}
