/**
 * Time that a test moves by hand.
 *
 * Nothing passes by itself: `advance` goes from timer to timer in the order in which they are due, and lets everything
 * that can run by itself run before it goes on, so that a loop which sets its next timer after some awaits finds time
 * where it should be. Wall time and elapsed time are apart, as on a real host: `advance` moves both, `jump` and `set`
 * move the wall clock alone, as an operator or NTP would.
 *
 * What waits for the outside (a socket, a file) is not waited for: use it with storages that answer at once.
 */
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { type Duration, parseDuration } from "../base/duration.ts";
import { SortedSet } from "../memory/sorted_set.ts";

interface Alarm {
  /** Elapsed time at which it is due. */
  at: number;
  /** Order of setting, among those due together. */
  order: number;
  callback: () => void;
}

/** Rounds of macrotasks after which what still runs is taken for a loop without end. */
const MAX_ROUNDS = 100_000;

/**
 * A clock that stands still until it is moved.
 *
 * @example
 * ```ts
 * import { FakeClock } from "belfry/testing";
 *
 * const clock = new FakeClock("2026-01-01T00:00:00Z");
 * let rang = false;
 * clock.setTimer(60_000, () => (rang = true));
 * await clock.advance("1m");
 * if (!rang || clock.now() !== Date.parse("2026-01-01T00:01:00Z")) throw new Error("no ring");
 * ```
 */
export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #order = 0;
  /** Turns that were asked for and have not come; counts up, to see whether something happened. */
  #turnsOpen = 0;
  #turnsAsked = 0;
  readonly #alarms = new SortedSet<Alarm>((a, b) => a.at - b.at || a.order - b.order);

  /** @param start what the wall clock shows: epoch ms or ISO text @default 2026-01-01T00:00:00Z */
  constructor(start: number | string = "2026-01-01T00:00:00Z") {
    this.#wall = typeof start === "string" ? Date.parse(start) : start;
    if (!Number.isInteger(this.#wall)) throw new RangeError(`Cannot start a clock at ${JSON.stringify(start)}`);
  }

  now(): number {
    return Math.floor(this.#wall);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const alarm: Alarm = { at: this.#elapsed + Math.max(0, delayMs), order: this.#order++, callback };
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  async turn(): Promise<void> {
    this.#turnsOpen++;
    this.#turnsAsked++;
    await systemClock.turn();
    this.#turnsOpen--;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#alarms.size;
  }

  /** Elapsed time until the next timer, in ms; undefined when none is set. */
  get nextTimerMs(): number | undefined {
    const first = this.#alarms.first();
    return first && Math.max(0, first.at - this.#elapsed);
  }

  /**
   * Moves time on, firing timers in order; each one's consequences run before the next fires.
   *
   * @param duration how far: `"3d"` or ms
   */
  async advance(duration: Duration): Promise<void> {
    const end = this.#elapsed + parseDuration(duration, "advance");
    await this.settle();
    for (let alarm = this.#alarms.first(); alarm && alarm.at <= end; alarm = this.#alarms.first()) {
      this.#moveTo(alarm.at);
      this.#alarms.delete(alarm);
      alarm.callback();
      await this.settle();
    }
    this.#moveTo(end);
  }

  /** Moves time on until the wall clock shows `at`; does nothing when it does already. @param at epoch ms or ISO text */
  async advanceTo(at: number | string): Promise<void> {
    const target = typeof at === "string" ? Date.parse(at) : at;
    await this.advance(Math.max(0, target - this.#wall));
  }

  /** Lets everything run that can run without time passing. */
  async settle(): Promise<void> {
    for (let round = 0, seen = -1; seen !== this.#turnsAsked || this.#turnsOpen > 0; round++) {
      if (round > MAX_ROUNDS) throw new Error("The clock cannot settle: something takes turns without end");
      seen = this.#turnsAsked;
      await systemClock.turn();
    }
  }

  /** Moves the wall clock alone, forth or back; timers stay where they are. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** Sets the wall clock alone. @param at epoch ms or ISO text */
  set(at: number | string): void {
    this.#wall = typeof at === "string" ? Date.parse(at) : at;
  }

  #moveTo(elapsed: number): void {
    // A timer set with a delay of 0 while time stood at a later point is due "before" now.
    const ms = Math.max(0, elapsed - this.#elapsed);
    this.#elapsed += ms;
    this.#wall += ms;
  }
}
