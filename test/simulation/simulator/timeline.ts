/**
 * What happens next? The event queue of a simulated world, ordered by true time.
 *
 * A step of the simulation is one event from this queue. Events at the same instant run in an order drawn from the seed, so
 * that no code can rely on the order in which it planned them. Between two steps every promise settles.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { SortedSet } from "../../../src/memory/sorted_set.ts";
import type { Random } from "../../../src/testing/random.ts";

/** An event. */
export interface Event {
  readonly at: number;
  /** Order among events of one instant, drawn at random. */
  readonly draw: number;
  readonly run: () => void;
}

/** The event queue and the true time. */
export class Timeline {
  /** True time, epoch ms; hosts have clocks of their own. */
  now: number;
  /** Steps made so far. */
  steps = 0;
  readonly #random: Random;
  readonly #events = new SortedSet<Event>((a, b) => a.at - b.at || a.draw - b.draw);

  constructor(start: number, random: Random) {
    this.now = start;
    this.#random = random;
  }

  /** Plans an event. @returns a function that cancels it */
  after(delayMs: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, delayMs), draw: this.#random.next(), run };
    this.#events.add(event);
    return () => void this.#events.delete(event);
  }

  /** Runs the next event. @returns false when there is none, or none before `until` */
  async step(until: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    const event = this.#events.first();
    if (!event || event.at > until) return false;
    this.#events.delete(event);
    this.now = event.at;
    this.steps++;
    event.run();
    await systemClock.turn();
    return true;
  }
}
