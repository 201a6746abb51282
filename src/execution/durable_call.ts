/**
 * What is a durable call? One call of the context that waits for a result: a step, a sleep, a wait for a signal, a child.
 *
 * ```text
 *   made ─┬─> new ──> in flight ──> result recorded ──> delivered to the code
 *         └─> its result is in the history already ────────┘
 * ```
 */
import type { NewJob, StepRecord } from "../storage/port.ts";
import type { StepContext } from "../task/context.ts";
import type { RetryFunction, RetryPolicy } from "../task/retry.ts";

/** What a durable call is to do. */
export type CallSpec =
  | {
      kind: "step";
      run: (step: StepContext) => unknown;
      retry: RetryPolicy | RetryFunction | null;
      timeoutMs: number | null;
    }
  /** `until` gives the instant at which the sleep is over, from the present one. */
  | { kind: "sleep"; until: (now: number) => number }
  | { kind: "wait"; signal: string; timeoutMs: number | null; throws: boolean }
  | { kind: "invoke" | "spawn"; child: (id: string) => Promise<NewJob> };

/** One durable call that has no delivered result yet. */
export interface DurableCall {
  /** Its name in the history: unique in the job. */
  readonly name: string;
  readonly spec: CallSpec;
  /** Settle the promise that the code awaits. */
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Its record while it is in flight: a wait, or a step between two tries; undefined before, and while a step runs first. */
  pending: StepRecord | undefined;
}
