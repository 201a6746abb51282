/**
 * When does a running server tick? At the next occurrence, at a third of the lease's ttl, and when it is woken.
 *
 * A leader sleeps until the next occurrence or until its lease wants renewal, whichever is first. A standby sleeps until
 * the lease that it saw runs out (plus a little chance, so that many do not ask at once), and looks in shortly after the
 * next occurrence: where the storage cannot push, a leader that resigned has no other way to tell it.
 *
 * Sleep is cut into parts of a second. Each part asks both clocks: an occurrence is a matter of wall time, a lease of
 * elapsed time, and when the two drift apart (a laptop slept, somebody set the clock) the loop ticks at once. So timers
 * never wait longer than a second for a clock that has moved, and no timer is too long for the runtime.
 */
import { delay } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import { startListening } from "../engine/listening.ts";
import type { Instant } from "../storage/port.ts";
import type { Lease } from "./lease.ts";
import type { TickOptions, TickReport } from "./report.ts";

/** What the loop drives. */
export interface Ticker {
  readonly lease: Lease;
  tick(options: TickOptions): Promise<TickReport>;
  maintain(): Promise<boolean>;
}

/** What the loop is given. */
export interface LoopContext {
  readonly signal: AbortSignal;
  /** Takes a function that ends the loop's sleep. */
  onWake(wake: () => void): () => void;
}

/** Wall and monotonic time that drift apart by more than this within one sleep: the clock was set, or the host slept. */
const JUMP_MS = 500;
/** A clock that is set back by more than this may have decided occurrences that still lie ahead. */
const BACK_MS = 30_000;
/** Wakes that come together are one. */
const GATHER_MS = 5;
const MAX_CHANCE_MS = 250;
/** A standby looks in this long after an occurrence (and up to as much again), not more often than {@link MIN_LOOK_MS}. */
const LOOK_AFTER_MS = 75;
const MIN_LOOK_MS = 500;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
/** How often the leader clears history away, and how soon it goes on while there is more. */
const MAINTENANCE_MS = 60_000;
const MORE_MAINTENANCE_MS = 500;

/** Ticks until aborted. */
export async function runLoop(engine: Engine, ticker: Ticker, context: LoopContext): Promise<void> {
  const { clock } = engine;
  const { signal } = context;
  const alarm = new Alarm(engine, signal);
  const unsubscribe = context.onWake(() => alarm.ring());
  const unlisten = startListening(engine, (wake) => wake === "schedules" && alarm.ring(), "listening for schedules");
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
        const more = await ticker.maintain().catch((error: unknown) => engine.report(error, "clearing history away"));
        maintainAtMs = clock.monotonic() + (more === true ? MORE_MAINTENANCE_MS : MAINTENANCE_MS);
      }
      await alarm.sleep(nextLook(engine, ticker.lease, report, maintainAtMs));
      if (alarm.rang) await delay(clock, GATHER_MS, signal);
      const before = drift;
      drift = clock.now() - clock.monotonic();
      if (drift < before - BACK_MS) warnOfReturn(engine, before - drift);
    }
  } finally {
    unsubscribe();
    unlisten();
  }
}

/** Nothing is lost or doubled when a clock is set back, but what it fired ahead of time does not fire again. */
function warnOfReturn({ logger }: Engine, backMs: number): void {
  const back = formatDuration(Math.round(backMs / 1000) * 1000);
  logger.warn(
    `The clock was set back by ${back}: occurrences that fired while it ran ahead do not fire again, so schedules may be ` +
      "silent for as long; health({ deep: true }) names them",
    { backMs },
  );
}

/** How long to sleep: until an instant by the wall, or a monotonic time, whichever comes first. */
interface Sleep {
  at: Instant;
  untilMs: number;
}

function nextLook({ clock, ids }: Engine, lease: Lease, report: TickReport, maintainAtMs: number): Sleep {
  const occurrence = report.nextAt ?? Infinity;
  if (report.leader) return { at: occurrence, untilMs: Math.min(lease.renewAtMs, maintainAtMs) };
  const chanceMs = Math.round(ids.random() * Math.min(MAX_CHANCE_MS, lease.ttlMs / 10));
  const { seen } = lease;
  const now = clock.now();
  if (seen === null || seen.expiresAt <= now) return { at: now + 1 + chanceMs, untilMs: Infinity };
  const lookMs = Math.round((1 + ids.random()) * LOOK_AFTER_MS);
  const look = Math.max(occurrence + lookMs, now + MIN_LOOK_MS);
  return {
    at: Math.min(seen.expiresAt + chanceMs, look),
    // By a clock that jumped the lease may seem to last for hours: look at it once a ttl.
    untilMs: clock.monotonic() + lease.ttlMs + chanceMs,
  };
}

/** Sleeps, and can be woken before. */
class Alarm {
  rang = false;
  readonly #engine: Engine;
  readonly #signal: AbortSignal;
  /** Ends the part of the sleep that is under way. */
  #end: () => void = () => {};

  constructor(engine: Engine, signal: AbortSignal) {
    this.#engine = engine;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#end(), { once: true });
  }

  /** Forgets earlier rings: what they announced is seen by the tick that follows. */
  reset(): void {
    this.rang = false;
  }

  ring(): void {
    this.rang = true;
    this.#end();
  }

  async sleep({ at, untilMs }: Sleep): Promise<void> {
    const { clock } = this.#engine;
    const drift = clock.now() - clock.monotonic();
    while (!this.rang && !this.#signal.aborted) {
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
