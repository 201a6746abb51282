/**
 * What goes wrong, and when? A plan of faults, drawn from a seed before the world starts.
 *
 * Each fault names the step at which it strikes, so a plan can be cut down: the shrinker takes faults away and plays the
 * rest again. A fault without a chance to strike (a crash of a host that is down) does nothing.
 */
import { pickWeighted, type Random } from "../../../src/testing/random.ts";

/** Kinds of faults. */
export type FaultKind =
  /** The host dies between two awaits, and is started again after a while. */
  | "crash"
  /** The host stands still: nothing of it runs, its clock goes on. */
  | "pause"
  /** The host stands still and so does its elapsed time, as when a machine sleeps. */
  | "suspend"
  /** The wall clock of the host jumps. */
  | "clock jump"
  /** The host's clock runs faster or slower from now on. */
  | "clock drift"
  /** The next request of the host never arrives. */
  | "request lost"
  /** The next request of the host is done, and its reply never arrives. */
  | "reply lost"
  /** The next request of the host is done again later. */
  | "duplicate"
  /** The next request of the host takes very long to arrive. */
  | "delay"
  /** The next request of the host is overtaken: it is done after the one that the host sends next. */
  | "reorder"
  /**
   * The next fire or save of the host arrives just after another was granted the lease, or the claim, under which it was
   * sent; meanwhile nothing else of the host arrives.
   */
  | "worst moment"
  /** Nothing that the storage pushes reaches the host for a while. */
  | "wakes lost"
  /** What the storage pushes next reaches the host late. */
  | "wake late"
  /** What the storage pushes next reaches the host, and later once more. */
  | "wake again"
  /** The storage answers nobody for a while. */
  | "outage";

/** One fault. */
export interface Fault {
  /** Strikes before this step. */
  readonly step: number;
  readonly kind: FaultKind;
  /** Which host, of those there are. */
  readonly host: number;
  /** How long it lasts, or how far the clock goes, ms. */
  readonly ms: number;
}

const KINDS: readonly (readonly [FaultKind, weight: number, maxMs: number])[] = [
  ["crash", 5, 20_000],
  ["pause", 4, 20_000],
  ["suspend", 2, 20_000],
  ["clock jump", 2, 30_000],
  ["clock drift", 1, 0],
  ["request lost", 6, 3_000],
  ["reply lost", 9, 3_000],
  ["duplicate", 6, 40_000],
  ["delay", 5, 20_000],
  ["reorder", 5, 6_000],
  ["worst moment", 4, 30_000],
  ["wakes lost", 2, 30_000],
  ["wake late", 2, 20_000],
  ["wake again", 2, 20_000],
  ["outage", 1, 8_000],
];

/**
 * Draws a plan.
 *
 * @param options `intensity`: faults per 100 steps
 */
export function drawPlan(random: Random, options: { steps: number; hosts: number; intensity: number }): Fault[] {
  const count = Math.round((options.steps * options.intensity) / 100);
  const plan = Array.from({ length: count }, (): Fault => {
    const kind = pickWeighted(random, KINDS);
    const [, , maxMs] = KINDS.find(([name]) => name === kind)!;
    // Short ones are the commonest; the long ones outlast leases and claims.
    const ms = Math.round(maxMs * random.next() ** 2);
    return { step: random.below(options.steps), kind, host: random.below(options.hosts), ms };
  });
  return plan.sort((a, b) => a.step - b.step);
}
