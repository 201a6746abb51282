/**
 * Jobs over HTTP: enqueue, list, read one, cancel, retry, signal.
 */

import { BelfryError } from "../../../src/base/error.ts";
import * as common from "../wire/common.ts";
import * as wire from "../wire/jobs.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, JobProtocolPath } from "./schema.ts";

const DEFAULT_PAGE = 50;

type JobPath = Exclude<Extract<keyof BelfrySchema, `/jobs${string}`>, JobProtocolPath>;

/** Routes under `/jobs`, without those of the job protocol. */
export const jobRoutes: RouteTable<Pick<BelfrySchema, JobPath>> = {
  "/jobs": {
    $get: {
      id: "listJobs",
      summary: "Lists jobs, newest first.",
      scopes: ["read"],
      query: wire.jobsQuery,
      status: 200,
      gives: wire.jobPage,
      async run({ belfry }, { query }) {
        const { limit = DEFAULT_PAGE, cursor, state, parent, ...same } = query;
        const before = readCursor("j", cursor);
        const jobs = await belfry.jobs.list({
          ...same,
          limit: limit + 1,
          ...(state === undefined ? {} : { states: state }),
          ...(parent === undefined ? {} : { parentId: parent }),
          ...(before === undefined ? {} : { before }),
        });
        const items = jobs.slice(0, limit);
        return { items, next: jobs.length > limit ? writeCursor("j", items.at(-1)!.id) : null };
      },
    },
    $post: {
      id: "enqueueJob",
      summary: "Puts a job into its queue; the same key gives the same job back.",
      scopes: ["work"],
      json: wire.enqueueBody,
      status: 201,
      also: { 200: "The key gave an earlier job back." },
      gives: wire.enqueueAnswer,
      async run(call, { json }) {
        const { task, input, ...options } = json;
        const { id, created } = await call.belfry.enqueue(task, input, options);
        if (!created) call.status = 200;
        return { id, created };
      },
    },
  },
  "/jobs/enqueue": {
    $post: {
      id: "enqueueJobs",
      summary: "Puts many jobs into their queues; the same key gives the same job back.",
      scopes: ["work"],
      json: wire.enqueueManyBody,
      status: 200,
      gives: wire.enqueueManyAnswer,
      async run({ belfry }, { json }) {
        const handles = await belfry.enqueueMany(
          json.jobs.map(({ task, input, ...options }) => ({ task, input, options })),
        );
        return { jobs: handles.map(({ id, created }) => ({ id, created })) };
      },
    },
  },
  "/jobs/retry": {
    $post: {
      id: "retryJobs",
      summary: "Puts many failed, cancelled or expired jobs back, or tells which it would.",
      scopes: ["admin"],
      json: wire.retryManyBody,
      status: 200,
      gives: wire.idsAnswer,
      run: async ({ belfry }, { json: { filter, ...options } }) => ({
        ids: await belfry.jobs.retryMany(filter, options),
      }),
    },
  },
  "/jobs/cancel": {
    $post: {
      id: "cancelJobs",
      summary: "Cancels many unfinished jobs and all that they invoked, or tells which it would.",
      scopes: ["admin"],
      json: wire.cancelManyBody,
      status: 200,
      gives: wire.idsAnswer,
      run: async ({ belfry }, { json: { filter, ...options } }) => ({
        ids: await belfry.jobs.cancelMany(filter, options),
      }),
    },
  },
  "/jobs/:id": {
    $get: {
      id: "getJob",
      summary: "Shows one job with its input, output, steps and signals.",
      scopes: ["read", "work"],
      param: common.idPath,
      status: 200,
      gives: wire.jobDetail,
      async run({ belfry }, { param }) {
        const job = await belfry.jobs.get(param.id);
        if (job) return job;
        throw new BelfryError("JOB_UNKNOWN", `No job has the id ${JSON.stringify(param.id)}`);
      },
    },
  },
  "/jobs/:id/cancel": {
    $post: {
      id: "cancelJob",
      summary: "Cancels a job and all that it invoked.",
      scopes: ["work"],
      param: common.idPath,
      json: wire.cancelBody,
      status: 200,
      gives: wire.idsAnswer,
      run: async ({ belfry }, { param, json }) => ({ ids: await belfry.job(param.id).cancel(json) }),
    },
  },
  "/jobs/:id/retry": {
    $post: {
      id: "retryJob",
      summary: "Puts a failed, cancelled or expired job back; it goes on from its saved steps.",
      scopes: ["work"],
      param: common.idPath,
      json: common.emptyBody,
      status: 200,
      gives: wire.idsAnswer,
      run: async ({ belfry }, { param }) => ({ ids: await belfry.job(param.id).retry() }),
    },
  },
  "/jobs/:id/signals/:name": {
    $post: {
      id: "signalJob",
      summary: "Sends a value to a job that waits for it, or will.",
      scopes: ["work"],
      param: common.signalPath,
      json: wire.signalBody,
      status: 200,
      gives: wire.signalOutcome,
      async run({ belfry }, { param, json }) {
        const options = json.key === undefined ? {} : { key: json.key };
        return { outcome: await belfry.job(param.id).signal(param.name, json.value, options) };
      },
    },
  },
};
