/**
 * Routes of the storage protocol: the operations of the storage port that a worker needs, one POST for each batch.
 * `remote()` of `belfry/client` calls them, so that the engine's own worker runs without a database.
 */
import type { Engine } from "../../../src/engine/engine.ts";
import { emitEnqueued } from "../../../src/engine/enqueuer.ts";
import { timed } from "../../../src/engine/timed.ts";
import { isOver } from "../../../src/job/ending.ts";
import type { ClaimRequest, EnqueueReply, EnqueueRequest, SaveReply, SaveRequest } from "../../../src/storage/port.ts";
import type { Field } from "../wire/fields.ts";
import type { Reply } from "../wire/storage_protocol.ts";
import * as wire from "../wire/storage_protocol.ts";
import type { Call, Route, RouteTable } from "./route.ts";
import type { BelfrySchema, StorageProtocolPath } from "./schema.ts";

const TAG = "storage protocol";

/** Makes the row of one batch. Answers always carry the server's time. */
function batch<In extends object, Out extends object>(
  id: string,
  summary: string,
  schemas: { takes: Field<In>; gives: Field<Reply<Out>> },
  send: (engine: Engine, request: In & { now: number }) => Promise<Out>,
): { $post: Route<Call<{ json: In }, Reply<Out>>> } {
  const run = async (engine: Engine, request: In): Promise<Reply<Out>> => {
    await engine.open();
    const reply = await send(engine, { ...request, now: engine.clock.now() });
    return { ...reply, time: engine.clock.now() };
  };
  const row = {
    id,
    tag: TAG,
    summary,
    scopes: ["work"],
    json: schemas.takes,
    status: 200,
    gives: schemas.gives,
    run: ({ belfry }: { belfry: { engine: Engine } }, input: { json: In }) => run(belfry.engine, input.json),
  };
  return { $post: row as object as Route<Call<{ json: In }, Reply<Out>>> };
}

/** A request as the storage takes it: a piggybacked claim has the server's time, too. */
function whole<T extends { now: number; claim?: object | undefined }>(request: T): T & { claim?: ClaimRequest } {
  const { claim, ...rest } = request;
  return { ...rest, ...(claim ? { claim: { ...claim, now: request.now } } : {}) } as T & { claim?: ClaimRequest };
}

async function enqueue(engine: Engine, request: EnqueueRequest): Promise<EnqueueReply> {
  const reply = await timed(engine, () => engine.storage.enqueue(request));
  emitEnqueued(engine.events, request.jobs, reply.jobs);
  return reply;
}

async function save(engine: Engine, request: SaveRequest): Promise<SaveReply> {
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
    (engine, request) => timed(engine, () => engine.storage.claim(request)),
  ),
  "/storage/renew": batch(
    "storageRenew",
    "Prolongs claims.",
    { takes: wire.renew, gives: wire.renewReply },
    (engine, request) => timed(engine, () => engine.storage.renew(request)),
  ),
  "/storage/save": batch(
    "storageSave",
    "Saves steps and settles jobs; may claim with it.",
    { takes: wire.save, gives: wire.saveReply },
    (engine, request) => save(engine, whole(request)),
  ),
  "/storage/enqueue": batch(
    "storageEnqueue",
    "Inserts jobs; may claim with it.",
    { takes: wire.enqueue, gives: wire.enqueueReply },
    (engine, request) => enqueue(engine, whole(request)),
  ),
  "/storage/signal": batch(
    "storageSignal",
    "Sends signals.",
    { takes: wire.signal, gives: wire.signalReply },
    async (engine, request) => {
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
    async (engine, request) => {
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
    async (engine, request) => ({
      ids: await engine.storage.retry(request),
    }),
  ),
  "/storage/job": batch(
    "storageJob",
    "Reads one job as it is stored.",
    { takes: wire.job, gives: wire.jobReply },
    async (engine, { id }) => ({
      job: await engine.storage.getJob({ id }),
    }),
  ),
  "/storage/jobs": batch(
    "storageJobs",
    "Lists jobs as they are stored.",
    { takes: wire.jobs, gives: wire.jobsReply },
    async (engine, { now: _now, ...request }) => ({
      jobs: await engine.storage.listJobs(request),
    }),
  ),
};
