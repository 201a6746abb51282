/**
 * Which waits in flight are over? Pure: decided from the time and from what has reached the job.
 *
 * Signals of one name go to the waits in the order in which these were called. Where several waits are over, they come in
 * the order of the instants at which they ended, so a signal that came after a timeout does not beat it.
 */
import type { ChildOutcome, SignalRecord } from "../storage/port.ts";
import type { DurableCall } from "./durable_call.ts";

/** What has reached the job from outside, as last read. */
export interface Arrivals {
  signals: SignalRecord[];
  children: ChildOutcome[];
}

/** What ended a wait, and when (epoch ms). */
export type WaitEnd =
  | { at: number; by: "time" }
  | { at: number; by: "signal"; signal: SignalRecord }
  | { at: number; by: "child"; child: ChildOutcome };

/** A wait that is over. */
export interface EndedWait {
  call: DurableCall;
  end: WaitEnd;
}

/**
 * Finds the waits that are over, earliest first.
 *
 * @param consumed ids ({@link signalId}) of the signals that earlier waits took
 */
export function findEnded(
  waiting: Iterable<DurableCall>,
  arrivals: Arrivals,
  consumed: ReadonlySet<string>,
  now: number,
): EndedWait[] {
  const found: EndedWait[] = [];
  const taken = new Set(consumed);
  for (const call of waiting) {
    const wakeAt = call.pending?.wakeAt ?? null;
    const { spec } = call;
    let end: WaitEnd | undefined;
    if (spec.kind === "wait") {
      const signal = arrivals.signals.find(
        (candidate) => candidate.name === spec.signal && !taken.has(signalId(candidate.name, candidate.key)),
      );
      if (signal && (wakeAt === null || signal.sentAt <= wakeAt)) {
        taken.add(signalId(signal.name, signal.key));
        end = { at: signal.sentAt, by: "signal", signal };
      }
    } else if (spec.kind === "invoke") {
      const child = arrivals.children.find((candidate) => candidate.id === call.pending?.childId);
      if (child) end = { at: child.finishedAt, by: "child", child };
    }
    if (!end && wakeAt !== null && wakeAt <= now) end = { at: wakeAt, by: "time" };
    if (end) found.push({ call, end });
  }
  return found.sort((a, b) => a.end.at - b.end.at);
}

/** One text for a signal's name and key, unique since names have no line breaks. */
export function signalId(name: string, key: string): string {
  return `${name}\n${key}`;
}

/** The nearest instant at which time ends a wait; null when no wait ends by time. */
export function nearestWake(waiting: Iterable<DurableCall>): number | null {
  let nearest: number | null = null;
  for (const call of waiting) {
    const wakeAt = call.pending?.wakeAt ?? null;
    if (wakeAt !== null && (nearest === null || wakeAt < nearest)) nearest = wakeAt;
  }
  return nearest;
}
