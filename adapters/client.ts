/**
 * A Belfry that is somewhere else, over `fetch`: a client for tools and backends (`createClient`), and a storage for
 * workers that have a token and no database (`remote`). Needs neither Hono nor valibot.
 *
 * @module
 */

export type { Task, TaskReference } from "../src/task/task.ts";
export { Client, type ClientHealthOptions, type ClientTickOptions, createClient } from "./client/client.ts";
export { ClientJob } from "./client/job.ts";
export { ClientJobs, type ListJobsOptions } from "./client/jobs.ts";
export { ClientQueues } from "./client/queues.ts";
export { remote } from "./client/remote.ts";
export { type ClientOptions, RequestError } from "./client/request.ts";
export { type ClientForecastOptions, ClientSchedules, type ListSchedulesOptions } from "./client/schedules.ts";
export type * from "./hono/wire/mod.ts";
