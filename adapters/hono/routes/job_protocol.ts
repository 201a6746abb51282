/**
 * Routes of the job protocol, for workers in any language: claim jobs of a queue, renew a claim, save steps, settle.
 * The files of `../job_protocol/` say how they work.
 */
import { claimJobs } from "../job_protocol/claim.ts";
import { renewClaim, saveSteps, settleJob } from "../job_protocol/save.ts";
import * as common from "../wire/common.ts";
import * as wire from "../wire/job_protocol.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, JobProtocolPath } from "./schema.ts";

const TAG = "job protocol";

/** The four calls of a worker. */
export const jobProtocolRoutes: RouteTable<Pick<BelfrySchema, JobProtocolPath>> = {
  "/queues/:queue/claim": {
    $post: {
      id: "claimJobs",
      tag: TAG,
      summary: "Claims jobs with their history.",
      scopes: ["work"],
      narrowed: "checked",
      param: common.queuePath,
      json: wire.claimBody,
      status: 200,
      gives: wire.claimAnswer,
      run({ belfry, access }, { param, json }) {
        const tasks = access.claimable([param.queue], json.tasks ?? null);
        return claimJobs(belfry.engine, param.queue, { ...json, ...(tasks === null ? {} : { tasks }) });
      },
    },
  },
  "/jobs/:id/renew": {
    $post: {
      id: "renewClaim",
      tag: TAG,
      summary: "Prolongs a claim.",
      scopes: ["work"],
      narrowed: "job",
      param: common.idPath,
      json: wire.renewBody,
      status: 200,
      gives: wire.renewAnswer,
      run: ({ belfry }, { param, json }) => renewClaim(belfry.engine, param.id, json),
    },
  },
  "/jobs/:id/steps": {
    $post: {
      id: "saveSteps",
      tag: TAG,
      summary: "Saves steps of a running job, and prolongs its claim.",
      scopes: ["work"],
      narrowed: "job",
      param: common.idPath,
      json: wire.stepsBody,
      status: 200,
      gives: wire.settleAnswer,
      run: ({ belfry }, { param, json }) => saveSteps(belfry.engine, param.id, json),
    },
  },
  "/jobs/:id/settle": {
    $post: {
      id: "settleJob",
      tag: TAG,
      summary: "Ends a run: completed, failed, released, sleeping or waiting.",
      scopes: ["work"],
      narrowed: "job",
      param: common.idPath,
      json: wire.settleBody,
      status: 200,
      gives: wire.settleAnswer,
      run: ({ belfry }, { param, json }) => settleJob(belfry.engine, param.id, json),
    },
  },
};
