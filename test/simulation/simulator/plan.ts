/**
 * Which faults are injected, and when? A plan, drawn from a seed before the world starts.
 *
 * Each fault names the step before which it is injected, so a plan can be reduced: the shrinker removes faults and runs the
 * rest again. A fault that cannot happen (a crash of a host that is down) does nothing.
 */
import { pickWeighted, type Random } from "../../../src/testing/random.ts";

/** Kinds of faults. */
export type FaultKind =
  /** The host dies between two awaits, and is started again after a while. */
  | "crash"
  /** The host runs nothing for a while; its clock goes on. */
  | "pause"
  /** The host runs nothing for a while and its elapsed time stops, as when a machine sleeps. */
  | "suspend"
  /** The wall clock of the host jumps. */
  | "clock jump"
  /** The host's clock runs faster or slower from now on. */
  | "clock drift"
  /** The next request of the host never arrives. */
  | "request lost"
  /** The next request of the host is executed, and its reply never arrives. */
  | "reply lost"
  /** The next request of the host is executed again later. */
  | "duplicate"
  /** The next request of the host takes very long to arrive. */
  | "delay"
  /** The next request of the host is executed after the one that the host sends next. */
  | "reorder"
  /**
   * The next fire or save of the host arrives just after the lease, or the claim, under which it was sent was granted to
   * another; meanwhile nothing else of the host arrives.
   */
  | "stale write"
  /** No wake-up of the storage reaches the host for a while. */
  | "wakes lost"
  /** The next wake-up reaches the host late. */
  | "wake late"
  /** The next wake-up reaches the host twice. */
  | "wake again"
  /** The storage answers no request for a while. */
  | "outage";

/** One fault. */
export interface Fault {
  /** Injected before this step. */
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
  ["stale write", 4, 30_000],
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
    // Mostly short; the long ones outlast leases and claims.
    const ms = Math.round(maxMs * random.next() ** 2);
    return { step: random.below(options.steps), kind, host: random.below(options.hosts), ms };
  });
  return plan.sort((a, b) => a.step - b.step);
}
