/**
 * What code asks of its context: one record for each call that waits for an answer.
 *
 * An ask is `recorded` (its outcome is in the history and will be told in its turn), `fresh` (to be begun when the code
 * has been told all that is recorded), or `begun`: a step that runs, or one of the waits, which need no worker.
 */

import type { ChildOutcome, NewJob, SignalRecord, StepKind, StepRecord } from "../storage/port.ts";
import type { StepContext } from "../task/context.ts";
import type { RetryFunction, RetryPolicy } from "../task/retry.ts";

/** What is asked for. */
export type Wanted =
  | {
      kind: "step";
      run: (step: StepContext) => unknown;
      retry: RetryPolicy | RetryFunction | null;
      timeoutMs: number | null;
    }
  /** `until` says when it is over, once `now` is known. */
  | { kind: "sleep"; until: (now: number) => number }
  | { kind: "wait"; signal: string; timeoutMs: number | null; throws: boolean }
  | { kind: "invoke" | "spawn"; child: (id: string) => Promise<NewJob> };

/** One call that waits for its answer. */
export interface Ask {
  readonly name: string;
  readonly wanted: Wanted;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** `waiting`: begun, and over by time, signal or child alone. */
  state: "recorded" | "fresh" | "running" | "waiting";
  /** Its pending row. */
  pending: StepRecord | undefined;
}

/** What a wait is over by. */
export type Due =
  /** When it was over, for the order among several. */
  | { at: number; by: "time" }
  | { at: number; by: "signal"; signal: SignalRecord }
  | { at: number; by: "child"; child: ChildOutcome };

/** What has reached the job from outside, as last read. */
export interface Arrived {
  signals: SignalRecord[];
  children: ChildOutcome[];
}

/**
 * Finds what is over among the waits.
 *
 * Signals of one name go to the waits in the order in which these were asked for. Where several are over, they are in
 * the order of the instants at which they were, so a signal that came after a timeout does not beat it.
 */
export function findDue(
  waiting: Iterable<Ask>,
  arrived: Arrived,
  consumed: ReadonlySet<string>,
  now: number,
): { ask: Ask; due: Due }[] {
  const found: { ask: Ask; due: Due }[] = [];
  const taken = new Set(consumed);
  for (const ask of waiting) {
    const wakeAt = ask.pending?.wakeAt ?? null;
    const { wanted } = ask;
    let due: Due | undefined;
    if (wanted.kind === "wait") {
      const signal = arrived.signals.find(
        (candidate) => candidate.name === wanted.signal && !taken.has(signalId(candidate.name, candidate.key)),
      );
      if (signal && (wakeAt === null || signal.sentAt <= wakeAt)) {
        taken.add(signalId(signal.name, signal.key));
        due = { at: signal.sentAt, by: "signal", signal };
      }
    } else if (wanted.kind === "invoke") {
      const child = arrived.children.find((candidate) => candidate.id === ask.pending?.childId);
      if (child) due = { at: child.finishedAt, by: "child", child };
    }
    if (!due && wakeAt !== null && wakeAt <= now) due = { at: wakeAt, by: "time" };
    if (due) found.push({ ask, due });
  }
  return found.sort((a, b) => a.due.at - b.due.at);
}

/** One text for a signal's name and key. */
export function signalId(name: string, key: string): string {
  return `${name}\n${key}`;
}

/** The nearest instant at which a wait is over by time; null when none is. */
export function nearestWake(waiting: Iterable<Ask>): number | null {
  let nearest: number | null = null;
  for (const ask of waiting) {
    const wakeAt = ask.pending?.wakeAt ?? null;
    if (wakeAt !== null && (nearest === null || wakeAt < nearest)) nearest = wakeAt;
  }
  return nearest;
}

/** Kinds that code waits for, as against values that it has at once. */
export function isAwaited(kind: StepKind): boolean {
  return kind !== "value" && kind !== "patch";
}
