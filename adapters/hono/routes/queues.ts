/**
 * Queues over HTTP: depths, settings, pause and resume.
 */
import * as common from "../wire/common.ts";
import * as wire from "../wire/queues.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, JobProtocolPath } from "./schema.ts";

type QueuePath = Exclude<Extract<keyof BelfrySchema, `/queues${string}`>, JobProtocolPath>;

/** Routes under `/queues`, without the claim of the job protocol. */
export const queueRoutes: RouteTable<Pick<BelfrySchema, QueuePath>> = {
  "/queues": {
    $get: {
      id: "listQueues",
      summary: "Shows the depth and settings of every queue with unfinished or failed jobs or settings.",
      scopes: ["read"],
      narrowed: "checked",
      status: 200,
      gives: wire.queuesAnswer,
      run: async ({ belfry, access }) => ({
        items: (await belfry.queues.list()).filter(({ name }) => access.seesQueue(name)),
      }),
    },
  },
  "/queues/:queue": {
    $patch: {
      id: "configureQueue",
      summary: "Sets limits of a queue, or pauses it; what is absent stays.",
      scopes: ["admin"],
      narrowed: "queue",
      param: common.queuePath,
      json: wire.queueBody,
      status: 200,
      gives: wire.queueSettings,
      run: ({ belfry }, { param, json }) => belfry.queues.configure(param.queue, json),
    },
  },
  "/queues/:queue/pause": {
    $post: {
      id: "pauseQueue",
      summary: "Pauses a queue: nothing of it is claimed.",
      scopes: ["admin"],
      narrowed: "queue",
      param: common.queuePath,
      json: common.emptyBody,
      status: 200,
      gives: wire.queueSettings,
      run: ({ belfry }, { param }) => belfry.queues.pause(param.queue),
    },
  },
  "/queues/:queue/resume": {
    $post: {
      id: "resumeQueue",
      summary: "Resumes a paused queue.",
      scopes: ["admin"],
      narrowed: "queue",
      param: common.queuePath,
      json: common.emptyBody,
      status: 200,
      gives: wire.queueSettings,
      run: ({ belfry }, { param }) => belfry.queues.resume(param.queue),
    },
  },
};
