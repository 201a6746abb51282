/**
 * When does a running server tick? At the next occurrence, at a third of the lease's ttl, and when it is woken.
 *
 * A leader sleeps until the next occurrence or until its lease must be renewed, whichever is first. A standby sleeps until
 * the lease that it saw runs out (plus a random delay, so that many standbys do not ask at once). It also ticks shortly
 * after the next occurrence: where the storage cannot push, it learns only by asking that a leader has resigned.
 *
 * A sleep is split into parts of a second, and both clocks are read after each: occurrences are due by wall time, the lease
 * ends by elapsed time, and when the two drift apart (a laptop slept, the clock was set) the loop ticks at once. So a
 * changed clock is noticed within a second, and no timer is too long for the runtime.
 */
import { delay } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import { startListening } from "../engine/listening.ts";
import type { Instant } from "../storage/port.ts";
import type { Lease } from "./lease.ts";
import type { TickOptions, TickReport } from "./report.ts";

/** What the loop calls. */
export interface Ticker {
  readonly lease: Lease;
  tick(options: TickOptions): Promise<TickReport>;
  maintain(): Promise<boolean>;
}

/** What the loop is given. */
export interface LoopContext {
  readonly signal: AbortSignal;
  /** Registers a function that ends the loop's sleep. @returns a function that removes it */
  onWake(wake: () => void): () => void;
}

/** Wall and monotonic time that drift apart by more than this within one sleep: the clock was set, or the host slept. */
const JUMP_MS = 500;
/** When a clock is set back by more than this, occurrences that still lie ahead may have fired already. */
const BACK_MS = 30_000;
/** Wakes that arrive within this time cause one tick. */
const GATHER_MS = 5;
const MAX_RANDOM_MS = 250;
/** A standby ticks this long after an occurrence (plus up to as much again), at most once per {@link MIN_BETWEEN_MS}. */
const TICK_AFTER_MS = 75;
const MIN_BETWEEN_MS = 500;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
/** How often the leader removes old history, and how soon it goes on while more is left. */
const MAINTENANCE_MS = 60_000;
const MORE_MAINTENANCE_MS = 500;

/** Ticks until aborted. */
export async function runLoop(engine: Engine, ticker: Ticker, context: LoopContext): Promise<void> {
  const { clock } = engine;
  const { signal } = context;
  const alarm = new WakeableSleep(engine, signal);
  const unsubscribe = context.onWake(() => alarm.wake());
  const unlisten = startListening(engine, (wake) => wake === "schedules" && alarm.wake(), "listening for schedules");
  let failures = 0;
  let drift = clock.now() - clock.monotonic();
  let maintainAtMs = clock.monotonic() + Math.round(MAINTENANCE_MS * engine.ids.random());
  try {
    while (!signal.aborted) {
      alarm.reset();
      let report: TickReport;
      try {
        report = await ticker.tick({ signal });
        failures = 0;
      } catch (error) {
        engine.report(error, "ticking");
        const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** failures++) * (0.5 + engine.ids.random() / 2);
        await alarm.sleep({ at: Infinity, untilMs: clock.monotonic() + Math.round(backoffMs) });
        continue;
      }
      if (report.more) {
        await clock.turn();
        continue;
      }
      if (report.leader && clock.monotonic() >= maintainAtMs) {
        const more = await ticker.maintain().catch((error: unknown) => engine.report(error, "removing old history"));
        maintainAtMs = clock.monotonic() + (more === true ? MORE_MAINTENANCE_MS : MAINTENANCE_MS);
      }
      await alarm.sleep(nextTick(engine, ticker.lease, report, maintainAtMs));
      if (alarm.woken) await delay(clock, GATHER_MS, signal);
      const before = drift;
      drift = clock.now() - clock.monotonic();
      if (drift < before - BACK_MS) warnOfReturn(engine, before - drift);
    }
  } finally {
    unsubscribe();
    unlisten();
  }
}

/** Setting a clock back loses and doubles nothing, but what fired ahead of time does not fire again at its time. */
function warnOfReturn({ logger }: Engine, backMs: number): void {
  const back = formatDuration(Math.round(backMs / 1000) * 1000);
  logger.warn(
    `The clock was set back by ${back}: occurrences that fired while it ran ahead do not fire again, so schedules may be ` +
      "silent for as long; health({ deep: true }) names them",
    { backMs },
  );
}

/** How long to sleep: until an instant of wall time or a monotonic time, whichever comes first. */
interface Sleep {
  at: Instant;
  untilMs: number;
}

function nextTick({ clock, ids }: Engine, lease: Lease, report: TickReport, maintainAtMs: number): Sleep {
  const occurrence = report.nextAt ?? Infinity;
  if (report.leader) return { at: occurrence, untilMs: Math.min(lease.renewAtMs, maintainAtMs) };
  const randomMs = Math.round(ids.random() * Math.min(MAX_RANDOM_MS, lease.ttlMs / 10));
  const { seen } = lease;
  const now = clock.now();
  if (seen === null || seen.expiresAt <= now) return { at: now + 1 + randomMs, untilMs: Infinity };
  const afterMs = Math.round((1 + ids.random()) * TICK_AFTER_MS);
  const afterOccurrence = Math.max(occurrence + afterMs, now + MIN_BETWEEN_MS);
  return {
    at: Math.min(seen.expiresAt + randomMs, afterOccurrence),
    // After a jump of the clock the lease may seem to last for hours: ask at least once per ttl.
    untilMs: clock.monotonic() + lease.ttlMs + randomMs,
  };
}

/** Sleeps, and can be woken before. */
class WakeableSleep {
  /** It was woken since the last reset. */
  woken = false;
  readonly #engine: Engine;
  readonly #signal: AbortSignal;
  /** Ends the current part of the sleep. */
  #end: () => void = () => {};

  constructor(engine: Engine, signal: AbortSignal) {
    this.#engine = engine;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  /** Forgets earlier wakes: the tick that follows finds what they announced. */
  reset(): void {
    this.woken = false;
  }

  wake(): void {
    this.woken = true;
    this.#end();
  }

  async sleep({ at, untilMs }: Sleep): Promise<void> {
    const { clock } = this.#engine;
    const drift = clock.now() - clock.monotonic();
    while (!this.woken && !this.#signal.aborted) {
      const now = clock.now();
      const monotonicMs = clock.monotonic();
      const leftMs = Math.min(at - now, untilMs - monotonicMs);
      if (leftMs <= 0 || Math.abs(now - monotonicMs - drift) > JUMP_MS) return;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(Math.min(leftMs, clock.partMs), resolve);
        this.#end = () => {
          timer.cancel();
          resolve();
        };
      });
    }
  }
}
