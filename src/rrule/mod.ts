/**
 * `belfry/rrule`: recurrence rules of RFC 5545, for what cron cannot say (every second Monday, the last working day).
 *
 * Usable alone as {@link Recurrence}. To schedule them, every Belfry on the storage gets the reader:
 *
 * ```ts
 * import { Belfry } from "belfry";
 * import { memory } from "belfry/memory";
 * import { rrule } from "belfry/rrule";
 *
 * const belfry = new Belfry({ storage: memory(), recurrence: rrule });
 * const retro = belfry.task("retro", () => "done");
 * await belfry.schedule("retro", "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", retro, {
 *   timeZone: "Europe/Berlin",
 *   startAt: "2026-12-07",
 * });
 * ```
 *
 * @module
 */
import type { CalendarReader } from "../cron/calendar.ts";
import { Recurrence } from "./recurrence.ts";

export { BelfryError, CronSyntaxError } from "../base/error.ts";
export { Calendar, type CalendarOptions, type CalendarReader, type InstantLike } from "../cron/calendar.ts";
export type { CronWarning } from "../cron/warnings.ts";
export { Recurrence, type RecurrenceOptions } from "./recurrence.ts";

/**
 * Reads a recurrence rule: the option `recurrence` of `new Belfry`.
 *
 * @throws {CronSyntaxError} `CRON_SYNTAX` where the rule cannot be read
 * @throws {BelfryError} `ZONE_UNKNOWN`, `OPTION_INVALID` where an option is wrong
 */
export const rrule: CalendarReader = (text, options) => new Recurrence(text, options);
