/**
 * Queues over HTTP: depths, settings, pause and resume.
 */
import * as v from "valibot";
import { parseDuration } from "../../../src/base/duration.ts";
import { checkName } from "../../../src/base/names.ts";
import type { Belfry } from "../../../src/belfry.ts";
import * as answers from "../wire/answers.ts";
import type { QueueAnswer, QueueBody, QueueSettings } from "../wire/mod.ts";
import * as schemas from "../wire/schemas.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, JobProtocolPath } from "./schema.ts";

async function configure(belfry: Belfry, name: string, { rate, ...same }: QueueBody): Promise<QueueSettings> {
  checkName(name, "queue");
  const perMs = rate ? parseDuration(rate.per, "rate.per", { minMs: 1 }) : 0;
  const set = rate === undefined ? {} : { rate: rate === null ? null : { count: rate.count, perMs } };
  return belfry.configureQueue(name, { ...same, ...set });
}

async function listQueues(belfry: Belfry): Promise<QueueAnswer[]> {
  const { queues } = await belfry.stats();
  const settings = new Map((await belfry.engine.storage.listQueues()).map((queue) => [queue.name, queue]));
  return queues.map((depths) => {
    const { concurrency = null, rate = null } = settings.get(depths.queue) ?? {};
    return { ...depths, concurrency, rate };
  });
}

type QueuePath = Exclude<Extract<keyof BelfrySchema, `/queues${string}`>, JobProtocolPath>;

/** Routes under `/queues`, without the claim of the job protocol. */
export const queueRoutes: RouteTable<Pick<BelfrySchema, QueuePath>> = {
  "/queues": {
    $get: {
      id: "listQueues",
      summary: "Shows the depth and settings of every queue with unfinished or failed jobs or settings.",
      scopes: ["read"],
      status: 200,
      gives: schemas.named("Queues", v.object({ items: v.array(answers.queue) })),
      run: async ({ belfry }) => ({ items: await listQueues(belfry) }),
    },
  },
  "/queues/:queue": {
    $patch: {
      id: "configureQueue",
      summary: "Sets limits of a queue, or pauses it; what is absent stays.",
      scopes: ["admin"],
      param: schemas.queuePath,
      json: schemas.queueBody,
      status: 200,
      gives: answers.queueSettings,
      run: ({ belfry }, { param, json }) => configure(belfry, param.queue, json),
    },
  },
  "/queues/:queue/pause": {
    $post: {
      id: "pauseQueue",
      summary: "Pauses a queue: nothing of it is claimed.",
      scopes: ["admin"],
      param: schemas.queuePath,
      json: schemas.emptyBody,
      status: 200,
      gives: answers.queueSettings,
      run: ({ belfry }, { param }) => configure(belfry, param.queue, { paused: true }),
    },
  },
  "/queues/:queue/resume": {
    $post: {
      id: "resumeQueue",
      summary: "Resumes a paused queue.",
      scopes: ["admin"],
      param: schemas.queuePath,
      json: schemas.emptyBody,
      status: 200,
      gives: answers.queueSettings,
      run: ({ belfry }, { param }) => configure(belfry, param.queue, { paused: false }),
    },
  },
};
