/**
 * What goes to the log without being asked for: jobs that failed for good, occurrences that were skipped, claims that were
 * lost, schedules that stopped by themselves. Whoever reads only the log must notice what went wrong.
 *
 * A failed job is told once. Skipped occurrences come by the thousand after an outage, so they are counted: the first of a
 * schedule and reason is told at once, the rest once a minute with their number, and what is left when the engine closes.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { SkipReason } from "../storage/port.ts";
import type { EventMap, EventSink } from "./events.ts";

/** How often skipped occurrences of one schedule and reason are told. */
const SUMMARY_MS = 60_000;
/** Reasons that somebody chose: they are told, but are nothing to worry about. */
const CHOSEN: readonly SkipReason[] = ["paused", "excluded", "ended"];

interface Skips {
  count: number;
  fromAt: number;
  untilAt: number;
  toldMs: number;
}

/** Writes an engine's events to its log. */
export class EventLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #skips = new Map<string, Skips>();

  /** Starts to listen. */
  constructor(events: EventSink, logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
    events.on("job:failed", (job) => {
      const { id, task, queue, attempt, schedule, error } = job;
      logger.error(`Job ${id} of task "${task}" failed at attempt ${attempt}: ${error.name}: ${error.message}`, {
        ...{ job: id, task, queue, attempt, error },
        ...(schedule === null ? {} : { schedule, scheduledAt: job.scheduledAt }),
      });
    });
    events.on("job:lost", ({ id, task, attempt }) => {
      logger.warn(
        `The claim of job ${id} of task "${task}" was lost: it ran out and was taken over, or the job was cancelled`,
        { job: id, task, attempt },
      );
    });
    events.on("schedule:skipped", (skipped) => this.#skipped(skipped));
    events.on("schedule:paused", ({ schedule, note }) => {
      logger.info(`Schedule "${schedule}" is paused${note === null ? "" : `: ${note}`}`, { schedule, note });
    });
    events.on("schedule:ended", ({ schedule }) => {
      logger.info(`Schedule "${schedule}" has ended: no occurrence is left`, { schedule });
    });
  }

  /** Tells of what was counted and not yet told. */
  flush(): void {
    for (const [key, skips] of this.#skips) if (skips.count > 0) this.#tell(key, skips);
  }

  #skipped({ schedule, reason, at, untilAt, count }: EventMap["schedule:skipped"]): void {
    const key = JSON.stringify([schedule, reason]);
    const skips = this.#skips.get(key) ?? { count: 0, fromAt: at, untilAt, toldMs: -Infinity };
    if (skips.count === 0) skips.fromAt = at;
    skips.count += count;
    skips.untilAt = untilAt;
    this.#skips.set(key, skips);
    if (this.#clock.monotonic() - skips.toldMs >= SUMMARY_MS) this.#tell(key, skips);
  }

  #tell(key: string, skips: Skips): void {
    const [schedule, reason] = JSON.parse(key) as [string, SkipReason];
    const { count, fromAt, untilAt } = skips;
    skips.count = 0;
    skips.toldMs = this.#clock.monotonic();
    const iso = (at: number): string => new Date(at).toISOString();
    const when =
      count === 1 ? `the occurrence at ${iso(fromAt)}` : `${count} occurrences, ${iso(fromAt)} to ${iso(untilAt)}`;
    const level = CHOSEN.includes(reason) ? "info" : "warn";
    this.#logger[level](`Schedule "${schedule}" skipped ${when}: ${reason}`, {
      ...{ schedule, reason, count, fromAt, untilAt },
    });
  }
}
