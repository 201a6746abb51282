/**
 * What does a run do next? Pure: decided from what the history holds, what is in flight and what the handler does.
 *
 * Decided only when the user's code is quiet (every promise that can settle by itself has settled), and decided again after
 * each action, until the action leaves something to wait for:
 *
 * ```text
 *   the next recorded result has its call ──> deliver it, and decide again when the code is quiet
 *   ... has no call yet ───────────────────> expect the call for a while: the code may await something of its own
 *   handler returned ──────────────────────> complete (fail, where records are left whose calls it never made)
 *   handler threw ─────────────────────────> fail, after the steps that still run
 *   draining ──────────────────────────────> give the job back when its running steps are over
 *   calls can start ───────────────────────> start them: new ones, waits that are over, tries that are due
 *   something runs, or a wait ends soon ───> save, and wait in memory
 *   only waits are in flight ──────────────> suspend: the handler's promise is dropped and never settles, so neither
 *                                            `catch` nor `finally` of the code sees anything
 * ```
 */

/** Waits that end within this time (ms) are waited for in memory: a suspension would cost more than it gives back. */
export const HOLD_MS = 200;

/** A run as it is when the user's code is quiet. */
export interface RunState {
  /** Epoch ms. */
  readonly now: number;
  readonly handler: "running" | "returned" | "threw";
  /** The worker shuts down: nothing new begins. */
  readonly draining: boolean;
  /**
   * The first recorded result that the code does not have: there is none, its call was made, its call was made and its
   * output is being decoded, or its call was not made.
   */
  readonly nextResult: "none" | "called" | "decoding" | "uncalled";
  /** The history has a record whose call the code has not made. */
  readonly uncalledRecord: boolean;
  /** Calls that have no delivered result. */
  readonly openCalls: number;
  /** Calls that can start now: new ones, waits that are over, steps whose next try is due. */
  readonly startable: number;
  /** Step functions that run. */
  readonly runningSteps: number;
  /** Effects that end by themselves: children being made, outputs being decoded, writes for which steps wait. */
  readonly effects: number;
  /** Waits in flight: for an instant, a signal, a child, or the next try of a step. */
  readonly waits: number;
  /** The nearest instant at which time ends a wait, epoch ms; null: none does. */
  readonly wakeAt: number | null;
  /** A signal or the end of a child may end a wait. */
  readonly listens: boolean;
}

/** What a run does next. */
export type NextAction =
  /** Deliver the next recorded result to its call. */
  | { do: "deliver" }
  /** Wait for what is under way. */
  | { do: "wait" }
  /** Save what is worth it and wait; where `alarmMs` is no null, at most so long. */
  | { do: "save"; alarmMs: number | null }
  /** Save, and wait for the call of the next recorded result; `limited`: for no longer than the grace of `mismatch.ts`. */
  | { do: "expect call"; limited: boolean }
  /** Start what can start. */
  | { do: "start" }
  /** Complete with what the handler returned. */
  | { do: "complete" }
  /** Fail: the handler returned, and the history has a record whose call it never made. */
  | { do: "fail by mismatch" }
  /** Fail with what the handler threw. */
  | { do: "fail" }
  /** The same, when the steps that run are over, or after a while. */
  | { do: "fail later" }
  /** Give the job back to be claimed by another worker. */
  | { do: "give back" }
  /** Suspend until an instant; with `listens` a signal or a child's end may come before it. */
  | { do: "suspend"; until: number; listens: false }
  | { do: "suspend"; until: number | null; listens: true };

/** Decides what a run does next. Reads only the fields that it needs, since they may be computed. */
export function decideNext(state: RunState): NextAction {
  const { handler } = state;
  if (handler === "threw") return { do: state.runningSteps > 0 && !state.draining ? "fail later" : "fail" };
  const { nextResult } = state;
  if (nextResult === "called") return { do: "deliver" };
  if (nextResult === "decoding") return { do: "wait" };
  if (handler === "returned") return { do: state.uncalledRecord ? "fail by mismatch" : "complete" };
  if (nextResult === "uncalled") return { do: "expect call", limited: state.openCalls > 0 };
  return state.draining ? whileDraining(state) : goOn(state);
}

function whileDraining(state: RunState): NextAction {
  // Without open calls the code awaits something of its own, which may end before the time to drain is over.
  const idle = state.runningSteps === 0 && state.effects === 0 && state.openCalls > 0;
  return idle ? { do: "give back" } : { do: "save", alarmMs: null };
}

/** All recorded results are delivered, and the handler runs. */
function goOn(state: RunState): NextAction {
  if (state.startable > 0) return { do: "start" };
  const { wakeAt } = state;
  const alarmMs = wakeAt === null ? null : wakeAt - state.now;
  const busy = state.runningSteps > 0 || state.effects > 0 || state.waits === 0;
  if (busy || (alarmMs !== null && alarmMs <= HOLD_MS)) return { do: "save", alarmMs };
  if (state.listens || wakeAt === null) return { do: "suspend", until: wakeAt, listens: true };
  return { do: "suspend", until: wakeAt, listens: false };
}
