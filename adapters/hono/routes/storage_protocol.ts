/**
 * Routes of the storage protocol: the operations of the storage port that a worker needs, one POST for each batch.
 * `remote()` of `belfry/client` calls them, so that the engine's own worker runs without a database.
 */
import type { Engine } from "../../../src/engine/engine.ts";
import { emitEnqueued } from "../../../src/engine/enqueuer.ts";
import { timed } from "../../../src/engine/timed.ts";
import { isOver } from "../../../src/job/ending.ts";
import type { ClaimRequest, EnqueueReply, EnqueueRequest, SaveReply, SaveRequest } from "../../../src/storage/port.ts";
import type { Access } from "../access.ts";
import {
  checkChildren,
  checkedClaim,
  checkJobs,
  checkNewJobs,
  withoutPayloads,
  withoutToken,
} from "../storage_rules.ts";
import type { Field } from "../wire/fields.ts";
import type { Reply } from "../wire/storage_protocol.ts";
import * as wire from "../wire/storage_protocol.ts";
import type { Call, CallContext, Route, RouteTable } from "./route.ts";
import type { BelfrySchema, StorageProtocolPath } from "./schema.ts";

const TAG = "storage protocol";

/** Makes the row of one batch. Answers always carry the server's time. */
function batch<In extends object, Out extends object>(
  id: string,
  summary: string,
  schemas: { takes: Field<In>; gives: Field<Reply<Out>> },
  send: (call: Batch, request: In & { now: number }) => Promise<Out>,
): { $post: Route<Call<{ json: In }, Reply<Out>>> } {
  const run = async ({ belfry, access }: CallContext, request: In): Promise<Reply<Out>> => {
    const { engine } = belfry;
    await engine.open();
    const reply = await send({ belfry, engine, access }, { ...request, now: engine.clock.now() });
    return { ...reply, time: engine.clock.now() };
  };
  const row = {
    id,
    tag: TAG,
    summary,
    scopes: ["work"],
    narrowed: "checked",
    json: schemas.takes,
    status: 200,
    gives: schemas.gives,
    run: (call: CallContext, input: { json: In }) => run(call, input.json),
  };
  return { $post: row as object as Route<Call<{ json: In }, Reply<Out>>> };
}

/** What a batch is sent with. */
interface Batch extends Pick<CallContext, "belfry" | "access"> {
  readonly engine: Engine;
}

/** A request as the storage takes it: a piggybacked claim has the server's time, too, and is one that the token may make. */
function whole<T extends { now: number; claim?: object | undefined }>(
  access: Access,
  request: T,
): T & { claim?: ClaimRequest } {
  const { claim, ...rest } = request;
  const whole = claim && checkedClaim(access, { ...claim, now: request.now } as ClaimRequest);
  return { ...rest, ...(whole ? { claim: whole } : {}) } as T & { claim?: ClaimRequest };
}

async function enqueue({ engine, access }: Batch, request: EnqueueRequest): Promise<EnqueueReply> {
  checkNewJobs(access, request.jobs);
  const reply = await timed(engine, () => engine.storage.enqueue(request));
  emitEnqueued(engine.events, request.jobs, reply.jobs);
  return reply;
}

async function save({ engine, access }: Batch, request: SaveRequest): Promise<SaveReply> {
  for (const write of request.writes) checkChildren(access, write);
  const reply = await timed(engine, () => engine.storage.save(request));
  const states = new Map(reply.saved.map(({ id, state }) => [id, state]));
  for (const { id, transition } of request.writes) {
    const state = states.get(id);
    if (transition === null || state === undefined || !isOver(state)) continue;
    const result = transition.to === "completed" ? transition.result : null;
    const error = "error" in transition ? transition.error : null;
    engine.endings.announce(id, { state, result, error });
  }
  return reply;
}

/** Routes under `/storage`. */
export const storageProtocolRoutes: RouteTable<Pick<BelfrySchema, StorageProtocolPath>> = {
  "/storage/claim": batch(
    "storageClaim",
    "Claims jobs of several queues, with their history.",
    { takes: wire.claim, gives: wire.claimReply },
    ({ engine, access }, request) => timed(engine, () => engine.storage.claim(checkedClaim(access, request))),
  ),
  "/storage/renew": batch(
    "storageRenew",
    "Prolongs claims.",
    { takes: wire.renew, gives: wire.renewReply },
    ({ engine }, request) => timed(engine, () => engine.storage.renew(request)),
  ),
  "/storage/save": batch(
    "storageSave",
    "Saves steps and settles jobs; may claim with it.",
    { takes: wire.save, gives: wire.saveReply },
    (call, request) => save(call, whole(call.access, request)),
  ),
  "/storage/enqueue": batch(
    "storageEnqueue",
    "Inserts jobs; may claim with it.",
    { takes: wire.enqueue, gives: wire.enqueueReply },
    (call, request) => enqueue(call, whole(call.access, request)),
  ),
  "/storage/signal": batch(
    "storageSignal",
    "Sends signals.",
    { takes: wire.signal, gives: wire.signalReply },
    async ({ belfry, engine, access }, request) => {
      const ids = request.signals.map(({ jobId }) => jobId);
      await checkJobs(belfry, access, ids);
      const reply = await timed(engine, () => engine.storage.signal(request));
      request.signals.forEach(({ jobId, name, key }, i) => {
        if (reply.outcomes[i] === "accepted") engine.events.emit("signal:sent", { id: jobId, signal: name, key });
      });
      return reply;
    },
  ),
  "/storage/cancel": batch(
    "storageCancel",
    "Cancels jobs.",
    { takes: wire.cancel, gives: wire.idsReply },
    async ({ belfry, engine, access }, request) => {
      await checkJobs(belfry, access, request.ids);
      const ids = await engine.storage.cancel(request);
      for (const id of ids) {
        engine.events.emit("job:cancelled", { id });
        engine.endings.announce(id, { state: "cancelled", result: null, error: request.error });
      }
      return { ids };
    },
  ),
  "/storage/retry": batch(
    "storageRetry",
    "Puts jobs back.",
    { takes: wire.retry, gives: wire.idsReply },
    async ({ belfry, engine, access }, request) => {
      const ids = request.jobs.map(({ id }) => id);
      await checkJobs(belfry, access, ids);
      return { ids: await engine.storage.retry(request) };
    },
  ),
  "/storage/job": batch(
    "storageJob",
    "Reads one job as it is stored, without its claim's token.",
    { takes: wire.job, gives: wire.jobReply },
    async ({ engine, access }, { id }) => {
      const job = await engine.storage.getJob({ id });
      return { job: job && access.reachesJob(job) ? withoutToken(job) : null };
    },
  ),
  "/storage/jobs": batch(
    "storageJobs",
    "Lists jobs as they are stored, without tokens; payloads, keys and errors only for the scope read.",
    { takes: wire.jobs, gives: wire.jobsReply },
    async ({ engine, access }, { now: _now, ...request }) => {
      const jobs = (await engine.storage.listJobs(request)).filter((job) => access.reachesJob(job)).map(withoutToken);
      return { jobs: access.allows(["read"]) ? jobs : jobs.map(withoutPayloads) };
    },
  ),
};
