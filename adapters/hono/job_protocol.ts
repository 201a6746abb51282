/**
 * The job protocol, for workers in any language: claim, renew, save steps, settle.
 *
 * Each call is one intention of the storage port with payloads as plain JSON; the server encodes them, numbers the steps
 * and applies the job's retry policy, so that a worker is a loop of four HTTP calls. The claim's token decides every
 * write: a worker that lost its job gets `CLAIM_LOST` and has saved nothing. Calls whose answer was lost can be sent
 * again: a claim by its token, a step by its name, a settlement by its token.
 */
import { decodePayload, encodePayload } from "../../src/base/codec.ts";
import { type Duration, parseDuration } from "../../src/base/duration.ts";
import { BelfryError } from "../../src/base/error.ts";
import { checkName } from "../../src/base/names.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { JobRunEvent } from "../../src/engine/events.ts";
import { timed } from "../../src/engine/timed.ts";
import { attemptsUsed, notesAfterError } from "../../src/execution/attempts.ts";
import { afterFailedAttempt } from "../../src/execution/failed_attempt.ts";
import { isOver } from "../../src/job/ending.ts";
import { shownName } from "../../src/job/step_name.ts";
import type { ClaimedJob, JobTransition, JobWrite, StepRecord } from "../../src/storage/port.ts";
import { type Failure, fromFailure, parseFailure } from "../../src/task/failure.ts";
import { parseJobOptions } from "../../src/task/options.ts";
import { DEFAULT_RETRY } from "../../src/task/retry.ts";
import type * as wire from "./wire/mod.ts";

const DEFAULT_CLAIM = "30s";
const MAX_CLAIM_MS = 86_400_000;

function claimLength(duration: Duration | undefined): number {
  return parseDuration(duration ?? DEFAULT_CLAIM, "for", { minMs: 1_000, maxMs: MAX_CLAIM_MS });
}

/** Claims jobs of a queue. */
export async function claimJobs(engine: Engine, queue: string, body: wire.ClaimBody): Promise<wire.ClaimAnswer> {
  await engine.open();
  const token = body.token ?? engine.ids.token() + engine.ids.token();
  const now = engine.clock.now();
  const reply = await timed(engine, () =>
    engine.storage.claim({
      token,
      worker: checkName(body.worker, "worker"),
      queues: [checkName(queue, "queue")],
      tasks: body.tasks ?? null,
      limit: body.limit ?? 1,
      now,
      claimMs: claimLength(body.for),
    }),
  );
  for (const job of reply.jobs) {
    const lateMs = Math.max(0, now - (job.availableAt ?? now));
    engine.events.emit("job:started", { ...eventOf(job), resumed: job.steps.length > 0, lateMs });
  }
  return { token, jobs: await Promise.all(reply.jobs.map((job) => showClaimed(engine, job))), nextAt: reply.nextAt };
}

async function showClaimed(engine: Engine, job: ClaimedJob): Promise<wire.ClaimedJob> {
  const read = (stored: string | null, what: string): Promise<unknown> =>
    stored === null ? Promise.resolve(undefined) : decodePayload(engine.codec, stored, `${what} of job ${job.id}`);
  const { id, task, queue, attempt, claims, priority, schedule, scheduledAt, createdAt, key, parentId, arrivals } = job;
  const steps = [...job.steps].sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity));
  return {
    id,
    task,
    queue,
    attempt,
    fence: claims,
    priority,
    schedule,
    scheduledAt,
    createdAt,
    key,
    parentId,
    options: parseJobOptions(job.options),
    input: await read(job.input, "input"),
    steps: await Promise.all(
      steps.map(async (step) => ({
        name: shownName(step.name),
        kind: step.kind,
        state: step.state,
        tries: step.tries,
        attempt: step.attempt,
        output:
          step.kind === "value"
            ? JSON.parse(step.output ?? "null")
            : await read(step.output, `output of step ${step.name}`),
        error: step.error === null ? null : parseFailure(step.error),
        wakeAt: step.wakeAt,
        childId: step.childId,
        signalKey: step.signalKey,
        startedAt: step.startedAt,
        finishedAt: step.finishedAt,
      })),
    ),
    signals: await Promise.all(
      job.signals.map(async ({ name, key, payload, sentAt }) => ({
        name,
        key,
        value: await read(payload, `signal ${name}`),
        sentAt,
      })),
    ),
    arrivals,
    claimExpiresAt: job.claimExpiresAt!,
  };
}

/**
 * Prolongs a claim.
 *
 * @throws BelfryError `CLAIM_LOST`, `DURATION_INVALID`
 */
export async function renewClaim(engine: Engine, id: string, body: wire.RenewBody): Promise<wire.RenewAnswer> {
  await engine.open();
  const now = engine.clock.now();
  const claimMs = claimLength(body.for);
  const claims = [{ id, token: body.token }];
  const { kept } = await timed(engine, () => engine.storage.renew({ now, claimMs, claims }));
  if (!kept.includes(id)) throw lost(id);
  return { claimExpiresAt: now + claimMs };
}

/**
 * Saves steps of a running job.
 *
 * @throws BelfryError `CLAIM_LOST`, `JOB_UNKNOWN`, `NAME_INVALID`, `PAYLOAD_TOO_LARGE`, `DURATION_INVALID`
 */
export async function saveSteps(engine: Engine, id: string, body: wire.StepsBody): Promise<wire.SettleAnswer> {
  const job = await readJob(engine, id);
  const claimMs = claimLength(body.for);
  const write = await writeOf(engine, job, body);
  return save(engine, { ...write, transition: null }, engine.ids.token(), claimMs);
}

/**
 * Ends a run of a job: completed, failed, given back, asleep or waiting.
 *
 * @throws BelfryError `CLAIM_LOST`, `JOB_UNKNOWN`, `PAYLOAD_TOO_LARGE`, `DURATION_INVALID`
 */
export async function settleJob(engine: Engine, id: string, body: wire.SettleBody): Promise<wire.SettleAnswer> {
  const job = await readJob(engine, id);
  const { transition, failure } = await transitionOf(engine, job, body);
  const write: JobWrite = { ...(await writeOf(engine, job, body)), transition };
  const notes = failure && transition.to === "ready" ? notesAfterError(job, [...job.steps, ...write.steps]) : undefined;
  if (notes) write.notes = JSON.stringify(notes);
  // One claim settles once: by this name the storage knows a settlement that is sent again.
  const answer = await save(engine, write, `settle:${body.token}:${id}`, claimLength(undefined));
  announce(engine, job, transition, failure);
  return answer;
}

async function readJob(engine: Engine, id: string): Promise<ClaimedJob> {
  await engine.open();
  const job = await engine.storage.getJob({ id });
  if (job) return job;
  throw new BelfryError("JOB_UNKNOWN", `Cannot write job ${JSON.stringify(id)}: no job of that id is stored`);
}

/** Makes the steps' rows. A step that is saved already keeps its first output, and no row is written twice in one batch. */
async function writeOf(
  engine: Engine,
  job: ClaimedJob,
  body: { token: string; steps?: wire.StepBody[]; progress?: unknown },
): Promise<Omit<JobWrite, "transition">> {
  const now = engine.clock.now();
  const over = new Set(job.steps.filter((step) => step.state === "done").map((step) => step.name));
  let seq = job.steps.reduce((next, step) => Math.max(next, (step.seq ?? -1) + 1), 0);
  const steps: StepRecord[] = [];
  for (const step of body.steps ?? []) {
    const name = checkName(step.name, "step");
    if (over.has(name)) continue;
    over.add(name);
    const output = await encodePayload(engine.codec, step.output, `output of step ${JSON.stringify(name)}`);
    steps.push({
      jobId: job.id,
      name,
      kind: "step",
      state: "done",
      seq: seq++,
      tries: 1,
      attempt: job.attempt,
      output: output === "" ? null : output,
      error: null,
      wakeAt: null,
      childId: null,
      signalKey: null,
      startedAt: step.startedAt ?? now,
      finishedAt: now,
    });
  }
  const progress =
    body.progress === undefined
      ? {}
      : { progress: await encodePayload(engine.codec, body.progress, `progress of job ${job.id}`) };
  return { id: job.id, token: body.token, steps, forget: [], children: [], ...progress };
}

async function transitionOf(
  engine: Engine,
  job: ClaimedJob,
  body: wire.SettleBody,
): Promise<{ transition: JobTransition; failure: Failure | null }> {
  const now = engine.clock.now();
  const done = (transition: JobTransition) => ({ transition, failure: null });
  const after = (duration: Duration): number => now + parseDuration(duration, "for");
  switch (body.outcome) {
    case "completed":
      return done({
        to: "completed",
        result: await encodePayload(engine.codec, body.output, `output of job ${job.id}`),
      });
    case "released":
      return done({ to: "ready", availableAt: now, resuming: true, error: null });
    case "sleeping":
      return done({ to: "ready", availableAt: after(body.for), resuming: true, error: null });
    case "waiting":
      return done({
        to: "waiting",
        availableAt: body.for === undefined ? null : after(body.for),
        arrivals: body.arrivals,
      });
    case "failed":
      return failed(engine, job, body, now);
  }
}

function failed(
  engine: Engine,
  job: ClaimedJob,
  { error, fatal, retryIn }: Extract<wire.SettleBody, { outcome: "failed" }>,
  now: number,
): { transition: JobTransition; failure: Failure } {
  const options = parseJobOptions(job.options);
  const told: Failure = { ...error, name: error.name ?? "Error" };
  const delayMs = retryIn === undefined ? undefined : parseDuration(retryIn, "retryIn");
  const settled = afterFailedAttempt({
    error: fromFailure(told),
    used: attemptsUsed(job),
    policy: options.retry ?? engine.tasks.get(job.task, options.version)?.retry ?? DEFAULT_RETRY,
    random: () => engine.ids.random(),
    now,
    keptFailure: undefined,
  });
  const stored = JSON.stringify(told);
  if (fatal || settled.transition.to !== "ready") return { transition: { to: "failed", error: stored }, failure: told };
  const availableAt = delayMs === undefined ? settled.transition.availableAt : now + delayMs;
  return { transition: { to: "ready", availableAt, resuming: false, error: stored }, failure: told };
}

async function save(engine: Engine, write: JobWrite, op: string, claimMs: number): Promise<wire.SettleAnswer> {
  const now = engine.clock.now();
  const { saved } = await timed(engine, () => engine.storage.save({ op, now, claimMs, writes: [write] }));
  const after = saved.find((job) => job.id === write.id);
  if (!after) throw lost(write.id);
  const { transition } = write;
  const later =
    transition !== null && "availableAt" in transition && (after.state === "ready" || after.state === "waiting");
  // What came while it ran makes a waiting job ready at once.
  const woken = transition?.to === "waiting" && after.state === "ready";
  return {
    state: after.state,
    arrivals: after.arrivals,
    availableAt: woken ? now : later ? transition.availableAt : null,
  };
}

function lost(id: string): BelfryError {
  return new BelfryError(
    "CLAIM_LOST",
    `Cannot write job ${id}: this claim is lost (it ran out, or the job was cancelled or settled); stop its work`,
  );
}

function eventOf(job: ClaimedJob): JobRunEvent {
  const { id, task, queue, schedule, scheduledAt, attempt, claims, options } = job;
  return { id, task, queue, schedule, scheduledAt, attempt, fence: claims, options };
}

/** Tells those who listen in this process, as its own worker would. */
function announce(engine: Engine, job: ClaimedJob, transition: JobTransition, failure: Failure | null): void {
  const event = {
    ...eventOf(job),
    durationMs: Math.max(0, engine.clock.now() - (job.startedAt ?? engine.clock.now())),
  };
  const { events } = engine;
  if (transition.to === "completed") events.emit("job:completed", event);
  else if (transition.to === "failed") events.emit("job:failed", { ...event, error: failure! });
  else if (failure !== null && transition.to === "ready") {
    events.emit("job:retried", { ...event, error: failure, availableAt: transition.availableAt });
  } else if (transition.to === "ready" || transition.to === "waiting") {
    events.emit("job:suspended", { ...event, until: transition.availableAt });
  }
  if (isOver(transition.to as ClaimedJob["state"])) {
    const result = transition.to === "completed" ? transition.result : null;
    const error = transition.to === "failed" ? transition.error : null;
    engine.endings.announce(job.id, { state: transition.to as ClaimedJob["state"], result, error });
  }
}
