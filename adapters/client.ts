/**
 * Belfry over `fetch`: a client of a remote app for tools and backends (`createClient`), and a storage for workers that
 * have a token and no database (`remote`). Needs neither Hono nor valibot.
 *
 * @module
 */

export type { Task, TaskReference } from "../src/task/task.ts";
export {
  type CallOptions,
  Client,
  type ClientHealthOptions,
  type ClientOptions,
  type ClientTickOptions,
  createClient,
} from "./client/client.ts";
export { type ClientGetOptions, ClientJob } from "./client/job.ts";
export { ClientJobs, type ClientListJobsOptions } from "./client/jobs.ts";
export { ClientQueues } from "./client/queues.ts";
export { remote } from "./client/remote.ts";
export { type RemoteOptions, RequestError } from "./client/request.ts";
export {
  type ClientForecastOptions,
  type ClientScheduleSpec,
  ClientSchedules,
  type ListSchedulesOptions,
} from "./client/schedules.ts";
export type * from "./hono/wire/mod.ts";
