/**
 * What travels: the bodies, queries and answers of every route, as types.
 *
 * Instants are epoch milliseconds and end in `At`; durations are `"10m"`, `"1h30m"` or a number of milliseconds. Payloads
 * (inputs, outputs, signals) are JSON as it is, decoded by the server's codec, except in the storage protocol of
 * `belfry/client`, where they stay as they are stored, so that a worker with the key can use a server without it.
 * `openapi.json` says the same in JSON Schema: both are made from the schemas in this folder.
 */
export type * from "./types/common.ts";
export type * from "./types/core.ts";
export type * from "./types/job_protocol.ts";
export type * from "./types/jobs.ts";
export type * from "./types/occurrences.ts";
export type * from "./types/queues.ts";
export type * from "./types/schedules.ts";
