/**
 * `belfry/cron`: when a schedule occurs, in every zone; usable alone, without dependencies.
 *
 * @module
 */
export { BelfryError, type CronSyntaxDetails, CronSyntaxError, type ErrorCode } from "../base/error.ts";
export { Calendar, type InstantLike } from "./calendar.ts";
export { Cron, type CronOptions } from "./cron.ts";
export type { DstRule } from "./occurrences.ts";
export type { CronWarning } from "./warnings.ts";
export { resolveTimeZone, type TemporalLike, type ZonedDateTimeLike } from "./zone.ts";
