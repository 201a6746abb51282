/**
 * The types of all routes: `hc<BelfryApp>()` is typed by them, and the table of routes must fit them.
 */
import type { Hono } from "hono";
import type * as port from "../../../src/storage/port.ts";
import type * as wire from "../wire/mod.ts";
import type { Reply, Sent } from "../wire/storage_protocol.ts";
import type { Call } from "./route.ts";

type ByName = { name: string };
type ById = { id: string };
type Lines = string;

/** Every call of the app: by path, then by method. */
export type BelfrySchema = {
  "/tick": {
    $post: Call<{ query: wire.TickQuery }, wire.TickAnswer>;
    $get: Call<{ query: wire.TickQuery }, wire.TickAnswer>;
  };
  "/health": { $get: Call<{ query: wire.HealthQuery }, wire.HealthAnswer> };
  "/metrics": { $get: Call<object, Lines, 200, "text"> };
  "/events": { $get: Call<{ query: wire.EventsQuery }, Lines, 200, "text"> };
  "/openapi.json": { $get: Call<object, Record<string, unknown>> };

  "/schedules": { $get: Call<{ query: wire.SchedulesQuery }, wire.SchedulePage> };
  "/schedules/preview": { $post: Call<{ json: wire.PreviewBody }, wire.PreviewAnswer> };
  "/schedules/forecast": { $post: Call<{ json: wire.ForecastBody }, wire.ForecastAnswer> };
  "/schedules/:name": {
    $get: Call<{ param: ByName }, wire.ScheduleAnswer>;
    $put: Call<{ param: ByName; json: wire.ScheduleBody }, wire.RegisteredAnswer>;
    $patch: Call<{ param: ByName; json: wire.SchedulePatchBody }, wire.RegisteredAnswer>;
    $delete: Call<{ param: ByName }, wire.RemovedAnswer>;
  };
  "/schedules/:name/pause": { $post: Call<{ param: ByName; json: wire.PauseBody }, wire.ScheduleAnswer> };
  "/schedules/:name/resume": { $post: Call<{ param: ByName; json: wire.ResumeBody }, wire.ScheduleAnswer> };
  "/schedules/:name/trigger": { $post: Call<{ param: ByName; json: wire.TriggerBody }, wire.TriggerAnswer> };
  "/schedules/:name/backfill": { $post: Call<{ param: ByName; json: wire.BackfillBody }, wire.BackfillAnswer> };
  "/schedules/:name/preview": { $get: Call<{ param: ByName; query: wire.PreviewQuery }, wire.PreviewAnswer> };
  "/schedules/:name/explain": { $get: Call<{ param: ByName; query: wire.ExplainQuery }, wire.ExplainAnswer> };
  "/schedules/:name/occurrences": {
    $get: Call<{ param: ByName; query: wire.OccurrencesQuery }, wire.OccurrencesAnswer>;
  };

  "/jobs": {
    $get: Call<{ query: wire.JobsQuery }, wire.JobPage>;
    $post: Call<{ json: wire.EnqueueBody }, wire.EnqueueAnswer, 201>;
  };
  "/jobs/enqueue": { $post: Call<{ json: wire.EnqueueManyBody }, wire.EnqueueManyAnswer> };
  "/jobs/retry": { $post: Call<{ json: wire.RetryManyBody }, wire.IdsAnswer> };
  "/jobs/cancel": { $post: Call<{ json: wire.CancelManyBody }, wire.IdsAnswer> };
  "/jobs/:id": { $get: Call<{ param: ById }, wire.JobDetail> };
  "/jobs/:id/cancel": { $post: Call<{ param: ById; json: wire.CancelBody }, wire.IdsAnswer> };
  "/jobs/:id/retry": { $post: Call<{ param: ById; json: wire.EmptyBody }, wire.IdsAnswer> };
  "/jobs/:id/signals/:name": { $post: Call<{ param: ById & ByName; json: wire.SignalBody }, wire.SignalOutcome> };
  "/jobs/:id/renew": { $post: Call<{ param: ById; json: wire.RenewBody }, wire.RenewAnswer> };
  "/jobs/:id/steps": { $post: Call<{ param: ById; json: wire.StepsBody }, wire.SettleAnswer> };
  "/jobs/:id/settle": { $post: Call<{ param: ById; json: wire.SettleBody }, wire.SettleAnswer> };

  "/queues": { $get: Call<object, wire.QueuesAnswer> };
  "/queues/:queue": { $patch: Call<{ param: { queue: string }; json: wire.QueueBody }, wire.QueueSettings> };
  "/queues/:queue/pause": {
    $post: Call<{ param: { queue: string }; json: wire.EmptyBody }, wire.QueueSettings>;
  };
  "/queues/:queue/resume": {
    $post: Call<{ param: { queue: string }; json: wire.EmptyBody }, wire.QueueSettings>;
  };
  "/queues/:queue/claim": { $post: Call<{ param: { queue: string }; json: wire.ClaimBody }, wire.ClaimAnswer> };

  "/storage/claim": Batch<Sent<port.ClaimRequest>, port.ClaimReply>;
  "/storage/renew": Batch<Sent<port.RenewRequest>, port.RenewReply>;
  "/storage/save": Batch<Sent<port.SaveRequest>, port.SaveReply>;
  "/storage/enqueue": Batch<Sent<port.EnqueueRequest>, port.EnqueueReply>;
  "/storage/signal": Batch<Sent<port.SignalRequest>, port.SignalReply>;
  "/storage/cancel": Batch<Sent<port.CancelRequest>, { ids: string[] }>;
  "/storage/retry": Batch<Sent<port.RetryRequest>, { ids: string[] }>;
  "/storage/job": Batch<{ id: string }, { job: port.ClaimedJob | null }>;
  "/storage/jobs": Batch<port.ListJobsRequest, { jobs: port.JobRecord[] }>;
};

type Batch<In extends object, Out> = { $post: Call<{ json: In }, Reply<Out>> };

/** Paths about occurrences. */
export type OccurrencePath =
  | "/schedules/preview"
  | "/schedules/forecast"
  | `/schedules/:name/${"preview" | "explain" | "occurrences"}`;

/** Paths of the job protocol: what a worker in any language calls. */
export type JobProtocolPath = "/queues/:queue/claim" | "/jobs/:id/renew" | "/jobs/:id/steps" | "/jobs/:id/settle";

/** Paths of the storage protocol: batches of the storage port, sent by `remote()` of `belfry/client`. */
export type StorageProtocolPath = Extract<keyof BelfrySchema, `/storage/${string}`>;

/** The app's type, for the typed client: `hc<BelfryApp>("https://example.com/belfry")`. */
export type BelfryApp = Hono<object, BelfrySchema, "/">;
