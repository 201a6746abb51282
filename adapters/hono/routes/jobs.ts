/**
 * Jobs over HTTP: enqueue, list, read one, cancel, retry, signal.
 */

import { BelfryError } from "../../../src/base/error.ts";
import { type Access, outOfReach } from "../access.ts";
import { placeOf } from "../reach.ts";
import * as common from "../wire/common.ts";
import * as wire from "../wire/jobs.ts";
import type { JobFilter } from "../wire/mod.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, JobProtocolPath } from "./schema.ts";

const DEFAULT_PAGE = 50;

type JobPath = Exclude<Extract<keyof BelfrySchema, `/jobs${string}`>, JobProtocolPath>;

/** A narrowed token must name what it selects: all that fits is acted on at once. */
function needFilter(access: Access, { queue = "", task = "", schedule }: JobFilter): void {
  if (access.reachesJob({ queue, task, schedule: schedule ?? null })) return;
  throw outOfReach("act on jobs that the filter does not confine to its own queue, task and schedule");
}

/** Routes under `/jobs`, without those of the job protocol. */
export const jobRoutes: RouteTable<Pick<BelfrySchema, JobPath>> = {
  "/jobs": {
    $get: {
      id: "listJobs",
      summary: "Lists jobs, newest first.",
      scopes: ["read"],
      narrowed: "checked",
      query: wire.jobsQuery,
      status: 200,
      gives: wire.jobPage,
      async run({ belfry, access }, { query }) {
        const { limit = DEFAULT_PAGE, cursor, state, parent, ...same } = query;
        const before = readCursor("j", cursor);
        const jobs = await belfry.jobs.list({
          ...same,
          limit: limit + 1,
          ...(state === undefined ? {} : { states: state }),
          ...(parent === undefined ? {} : { parentId: parent }),
          ...(before === undefined ? {} : { before }),
        });
        const page = jobs.slice(0, limit);
        // A page of a narrowed token may have fewer items than asked for, with more on the next.
        const items = page.filter((job) => access.reachesJob(job));
        return { items, next: jobs.length > limit ? writeCursor("j", page.at(-1)!.id) : null };
      },
    },
    $post: {
      id: "enqueueJob",
      summary: "Puts a job into its queue; the same key gives the same job back.",
      scopes: ["work", "enqueue"],
      narrowed: "checked",
      json: wire.enqueueBody,
      status: 201,
      also: { 200: "The key gave an earlier job back." },
      gives: wire.enqueueAnswer,
      async run(call, { json }) {
        const { task, input, ...options } = json;
        call.access.needPlace(placeOf(call.belfry, json));
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
      scopes: ["work", "enqueue"],
      narrowed: "checked",
      json: wire.enqueueManyBody,
      status: 200,
      gives: wire.enqueueManyAnswer,
      async run({ belfry, access }, { json }) {
        for (const job of json.jobs) access.needPlace(placeOf(belfry, job));
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
      narrowed: "checked",
      json: wire.retryManyBody,
      status: 200,
      gives: wire.idsAnswer,
      async run({ belfry, access }, { json: { filter, ...options } }) {
        needFilter(access, filter);
        return { ids: await belfry.jobs.retryMany(filter, options) };
      },
    },
  },
  "/jobs/cancel": {
    $post: {
      id: "cancelJobs",
      summary: "Cancels many unfinished jobs and all that they invoked, or tells which it would.",
      scopes: ["admin"],
      narrowed: "checked",
      json: wire.cancelManyBody,
      status: 200,
      gives: wire.idsAnswer,
      async run({ belfry, access }, { json: { filter, ...options } }) {
        needFilter(access, filter);
        return { ids: await belfry.jobs.cancelMany(filter, options) };
      },
    },
  },
  "/jobs/:id": {
    $get: {
      id: "getJob",
      summary: "Shows one job with its input, output, steps and signals.",
      scopes: ["read", "work"],
      narrowed: "job",
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
      narrowed: "job",
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
      narrowed: "job",
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
      narrowed: "job",
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
