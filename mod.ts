/**
 * Belfry rings your code at the right time, once: durable cron on the database you already have.
 *
 * Each due instant of a schedule becomes exactly one job; each job is a durable execution that survives its worker;
 * missed instants are caught up; calendar time is right in every zone.
 *
 * @example
 * ```ts
 * import { Belfry } from "belfry";
 * import { memory } from "belfry/memory";
 *
 * const belfry = new Belfry({ storage: memory() });
 *
 * const report = belfry.task("report", async (ctx, input: { userId: number }) => {
 *   const rows = await ctx.step("load", () => [input.userId, 2, 3]); // saved: never runs again
 *   await ctx.sleep("settle", "10m"); // no process waits
 *   return rows.length;
 * });
 *
 * await belfry.schedule("daily-report", "0 9 * * MON-FRI", report, {
 *   input: { userId: 123 },
 *   timeZone: "Europe/Berlin",
 * });
 *
 * await belfry.tick(); // or, in a server: await belfry.run({ signal })
 * await belfry.close();
 * ```
 *
 * @module
 */

export type { Clock, Timer } from "./src/base/clock.ts";
export type { Codec } from "./src/base/codec.ts";
export { type AesGcmOptions, aesGcm } from "./src/base/codec_aes.ts";
export type { Duration } from "./src/base/duration.ts";
export { BelfryError, type CronSyntaxDetails, CronSyntaxError, type ErrorCode } from "./src/base/error.ts";
export type { Ids } from "./src/base/id.ts";
export {
  type ConsoleLoggerOptions,
  consoleLogger,
  type JsonLoggerOptions,
  jsonLogger,
  type Logger,
  type LogLevel,
  type PinoLike,
  pinoLogger,
  silentLogger,
} from "./src/base/log.ts";
export {
  Belfry,
  type BelfryOptions,
  type RetentionOptions,
  type RunOptions,
  type TickOptions,
  type TickResult,
} from "./src/belfry.ts";
export type { DstRule, TemporalLike } from "./src/cron/mod.ts";
export type { EventMap, EventName, JobEvent, JobRunEvent, StepEvent } from "./src/engine/events.ts";
export { type OpenTelemetryApi, openTelemetry, type SpanLike } from "./src/engine/telemetry.ts";
export type { CancelOptions, SignalOptions } from "./src/job/control.ts";
export type { JobHandle, ResultOptions } from "./src/job/handle.ts";
export type { JobStatements, Jobs } from "./src/job/jobs.ts";
export type { CancelManyOptions, JobFilter, ManyJobsFilter, RetryManyOptions } from "./src/job/many.ts";
export type { QueueInfo, QueueOptions, Queues } from "./src/job/queues.ts";
export type { Job, JobStep, JobSummary, ListJobsOptions, Unreadable } from "./src/job/view.ts";
export type { Backfilled, BackfillOptions } from "./src/schedule/backfill.ts";
export type { PauseOptions, ResumeOptions, Triggered, TriggerOptions } from "./src/schedule/control.ts";
export type { ScheduleSpec, TypedScheduleSpec } from "./src/schedule/define.ts";
export type { ScheduleDefinition } from "./src/schedule/definition.ts";
export type { Exclusion, ExclusionRange } from "./src/schedule/exclude.ts";
export type { Explanation } from "./src/schedule/explain.ts";
export {
  type Downtime,
  type Forecast,
  type ForecastContext,
  type ForecastOccurrence,
  type ForecastOptions,
  forecastSchedule,
} from "./src/schedule/forecast.ts";
export type { HealthCode, HealthOptions, HealthProblem, HealthReport } from "./src/schedule/health.ts";
export type { ScheduleInfo } from "./src/schedule/info.ts";
export type {
  ListSchedulesOptions,
  OccurrenceOptions,
  PreviewedOccurrence,
  PreviewOptions,
  SchedulePage,
} from "./src/schedule/list.ts";
export type {
  CatchUp,
  CatchUpLimits,
  Expression,
  OneInstant,
  ScheduleArguments,
  ScheduleOptions,
  StoredCatchUp,
} from "./src/schedule/options.ts";
export type { SchedulePatch } from "./src/schedule/patch.ts";
export type { Overlap } from "./src/schedule/planner.ts";
export type { Registered } from "./src/schedule/register.ts";
export type { Schedules } from "./src/schedule/schedules.ts";
export type { SyncOptions, SyncReport } from "./src/schedule/sync.ts";
export type { TimingRule } from "./src/schedule/timing.ts";
export type { Outcome } from "./src/schedule/verdict.ts";
export type { PlainDateLike, When } from "./src/schedule/when.ts";
export { type CopyOptions, type CopyReport, copyStorage } from "./src/storage/copy.ts";
export type {
  Instant,
  JobRecord,
  JobState,
  LeaseRecord,
  OccurrenceRecord,
  QueueRecord,
  ScheduleState,
  SkipReason,
  Statement,
  Storage,
} from "./src/storage/port.ts";
export type { ChildOptions, Context, JobInfo, StepContext, StepOptions, WaitOptions } from "./src/task/context.ts";
export type { TaskHandler, TaskOptions } from "./src/task/definition.ts";
export type { Failure } from "./src/task/failure.ts";
export type { EnqueueOptions, JobRequest, LimitOptions, TypedJobRequest } from "./src/task/options.ts";
export type { Rate } from "./src/task/rate.ts";
export {
  FatalError,
  type Retry,
  type RetryFunction,
  RetryLater,
  type RetryOptions,
  type RetryPolicy,
  type StorableRetry,
} from "./src/task/retry.ts";
export type { SchemaInput, SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from "./src/task/schema.ts";
export type { AnyTask, InputArguments, IsOptional, Known, Task, TaskReference } from "./src/task/task.ts";
export type { TickReport } from "./src/tick/report.ts";
