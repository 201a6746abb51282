/**
 * What do simulated jobs do? They run small scripts of durable operations, drawn from a seed, whose results are known.
 *
 * A script is the job's input, so any host can run it. Each operation returns a text that names the job and the operation,
 * so a replay that returns another step's value is detected.
 */
import type { Context } from "../../../src/task/context.ts";
import { FatalError } from "../../../src/task/retry.ts";
import type { Random } from "../../../src/testing/random.ts";

/** One operation of a script. */
export type Op =
  /** A step that takes `ms` and fails the first `fails` times; `timeoutMs` bounds one try, null: none. */
  | { op: "step"; name: string; ms: number; fails: number; tries: number; timeoutMs: number | null }
  /** Steps side by side. */
  | { op: "together"; steps: Op[] }
  | { op: "sleep"; name: string; ms: number }
  | { op: "wait"; name: string; ms: number }
  /** Starts a child job and waits for it. */
  | { op: "invoke"; name: string; script: Op[] }
  /** Starts a job that is independent of this one. */
  | { op: "spawn"; name: string; script: Op[] }
  /** Draws a recorded random number and saves it in a step: replays must draw the same. */
  | { op: "draw"; name: string }
  /** Throws between steps in the first `times` attempts. */
  | { op: "throw"; times: number; fatal: boolean };

/** Callbacks through which a running script waits and reports what it does. */
export interface ScriptHost {
  /** Waits on the host's clock. @returns false when aborted first */
  sleep(ms: number, signal: AbortSignal): Promise<boolean>;
  /** A step's function begins. @returns how often it began before, over all attempts and hosts */
  stepBegins(jobId: string, step: string, fence: number): number;
  /** A step's function is about to return. */
  stepEnds(jobId: string, step: string, fence: number): void;
  /** An attempt reaches a `throw`. @returns how often attempts reached it before */
  reachesThrow(jobId: string, place: string): number;
}

/** Draws a script. @param depth how many levels of children it may have */
export function drawScript(random: Random, depth: number = 2): Op[] {
  let count = 0;
  const draw = (nested: boolean): Op => {
    const name = `${["load", "send", "mail", "sum"][random.below(4)]} ${count++}`;
    const kind = random.below(nested ? 10 : 20);
    if (kind < 10) {
      return {
        op: "step",
        name,
        ms: random.chance(0.1) ? random.below(9000) : random.below(400),
        fails: random.chance(0.2) ? 1 + random.below(2) : 0,
        tries: 1 + random.below(3),
        timeoutMs: random.chance(0.15) ? 1000 + random.below(4000) : null,
      };
    }
    if (kind < 12) return { op: "together", steps: Array.from({ length: 2 + random.below(2) }, () => draw(true)) };
    if (kind < 14) return { op: "sleep", name, ms: random.below(random.chance(0.3) ? 9000 : 1500) };
    if (kind < 15) return { op: "wait", name, ms: 500 + random.below(6000) };
    if (kind < 16) return { op: "draw", name };
    if (kind < 17) return { op: "throw", times: random.chance(0.2) ? 99 : 1, fatal: random.chance(0.2) };
    if (depth === 0) return { op: "sleep", name, ms: random.below(500) };
    return { op: kind < 19 ? "invoke" : "spawn", name, script: drawScript(random, depth - 1) };
  };
  return Array.from({ length: 1 + random.below(4) }, () => draw(false));
}

/** Runs a script as a task's handler. */
export async function playScript(scriptHost: ScriptHost, ctx: Context, script: Op[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [i, op] of script.entries()) results.push(await playOp(scriptHost, ctx, op, String(i)));
  return results;
}

async function playOp(scriptHost: ScriptHost, ctx: Context, op: Op, place: string): Promise<unknown> {
  const { id } = ctx.job;
  switch (op.op) {
    case "step":
      return ctx.step(
        op.name,
        async ({ signal, fence }) => {
          const before = scriptHost.stepBegins(id, op.name, fence);
          if (!(await scriptHost.sleep(op.ms, signal))) throw new Error(`aborted: ${op.name}`);
          if (before < op.fails) throw new Error(`fails: ${op.name}`);
          scriptHost.stepEnds(id, op.name, fence);
          return `${id} ${op.name}`;
        },
        {
          retry: { maxAttempts: op.tries, initial: 200, max: 1000 },
          ...(op.timeoutMs === null ? {} : { timeout: op.timeoutMs }),
        },
      );
    case "together":
      return Promise.all(op.steps.map((step, i) => playOp(scriptHost, ctx, step, `${place}.${i}`)));
    case "sleep":
      await ctx.sleep(op.name, op.ms);
      return `slept ${op.name}`;
    case "wait":
      return (await ctx.waitFor<string>(op.name, { timeout: op.ms })) ?? `timeout ${op.name}`;
    case "invoke":
      try {
        return { child: await ctx.invoke(op.name, "play", op.script) };
      } catch (error) {
        return { childEnded: (error as { code?: string }).code ?? String(error) };
      }
    case "spawn":
      return { spawned: typeof (await ctx.spawn(op.name, "play", op.script)) };
    case "draw": {
      const drawn = ctx.random();
      const kept = await ctx.step(op.name, () => drawn);
      return { same: drawn === kept };
    }
    case "throw":
      if (scriptHost.reachesThrow(id, place) < op.times) {
        throw op.fatal ? new FatalError(`fatal at ${place}`) : new Error(`throws at ${place}`);
      }
      return "passed";
  }
}

/**
 * Checks a completed job's result.
 *
 * @returns what is wrong with it; null when it is the result of its script
 */
export function judgeResult(id: string, script: Op[], result: unknown): string | null {
  if (!Array.isArray(result) || result.length !== script.length) return `is not a list of ${script.length}`;
  for (const [i, op] of script.entries()) {
    const wrong = judgeOp(id, op, result[i]);
    if (wrong !== null) return `${op.op} ${i}: ${wrong}`;
  }
  return null;
}

function judgeOp(id: string, op: Op, result: unknown): string | null {
  const text = JSON.stringify(result);
  const expect = (right: boolean): string | null => (right ? null : `gave ${text}`);
  switch (op.op) {
    case "step":
      return expect(result === `${id} ${op.name}`);
    case "together":
      return judgeResult(id, op.steps, result);
    case "sleep":
      return expect(result === `slept ${op.name}`);
    case "wait":
      return expect(result === `timeout ${op.name}` || result === `signal ${op.name}`);
    case "invoke": {
      const { child, childEnded } = (result ?? {}) as { child?: unknown; childEnded?: unknown };
      if (childEnded !== undefined)
        return expect(["JOB_FAILED", "JOB_CANCELLED", "JOB_EXPIRED"].includes(String(childEnded)));
      return expect(Array.isArray(child) && child.length === op.script.length);
    }
    case "spawn":
      return expect(text === '{"spawned":"string"}');
    case "draw":
      return expect(text === '{"same":true}');
    case "throw":
      return expect(result === "passed");
  }
}

/** Names of the waits of a script, without those of its children. */
export function waitsOf(script: Op[]): string[] {
  return script.flatMap((op) => (op.op === "wait" ? [op.name] : op.op === "together" ? waitsOf(op.steps) : []));
}
