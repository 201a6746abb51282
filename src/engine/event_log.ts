/**
 * Logs by default what went wrong, for users that listen to no events: jobs that failed for good, skipped occurrences, lost
 * claims, and schedules that stopped by themselves.
 *
 * After an outage occurrences may be skipped by the thousand, so they are counted: the first of each schedule and reason is
 * logged at once, the following ones once a minute with their number, and the rest when the engine closes.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { SkipReason } from "../storage/port.ts";
import type { EventMap, EventSink } from "./events.ts";

/** Between two log lines about skipped occurrences of one schedule and reason. */
const SUMMARY_MS = 60_000;
/** Reasons that a user chose: they are logged as information, not as warnings. */
const CHOSEN: readonly SkipReason[] = ["paused", "excluded", "ended"];

interface Skips {
  count: number;
  fromAt: number;
  untilAt: number;
  /** Monotonic time of the last log line. */
  loggedMs: number;
}

/** Writes events of one engine to its log. */
export class EventLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #skips = new Map<string, Skips>();

  /** Listens to the events from now on. */
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

  /** Logs what was counted and is not logged yet. */
  flush(): void {
    for (const [key, skips] of this.#skips) if (skips.count > 0) this.#log(key, skips);
  }

  #skipped({ schedule, reason, at, untilAt, count }: EventMap["schedule:skipped"]): void {
    const key = JSON.stringify([schedule, reason]);
    const skips = this.#skips.get(key) ?? { count: 0, fromAt: at, untilAt, loggedMs: -Infinity };
    if (skips.count === 0) skips.fromAt = at;
    skips.count += count;
    skips.untilAt = untilAt;
    this.#skips.set(key, skips);
    if (this.#clock.monotonic() - skips.loggedMs >= SUMMARY_MS) this.#log(key, skips);
  }

  #log(key: string, skips: Skips): void {
    const [schedule, reason] = JSON.parse(key) as [string, SkipReason];
    const { count, fromAt, untilAt } = skips;
    skips.count = 0;
    skips.loggedMs = this.#clock.monotonic();
    const iso = (at: number): string => new Date(at).toISOString();
    const when =
      count === 1 ? `the occurrence at ${iso(fromAt)}` : `${count} occurrences, ${iso(fromAt)} to ${iso(untilAt)}`;
    const level = CHOSEN.includes(reason) ? "info" : "warn";
    this.#logger[level](`Schedule "${schedule}" skipped ${when}: ${reason}`, {
      ...{ schedule, reason, count, fromAt, untilAt },
    });
  }
}
