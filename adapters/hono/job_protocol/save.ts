/**
 * Writes of the job protocol: a worker in any language renews its claim, saves steps, settles.
 *
 * The server encodes payloads, numbers the steps and applies the job's retry policy. The claim's token decides every write:
 * a worker that lost its job gets `CLAIM_LOST` and has saved nothing. Calls whose answer was lost can be sent again: a step
 * by its name, a settlement by all that it says. A second settlement of one claim that says something else is refused, so
 * no worker is told "done" of what was not stored.
 */
import { encodePayload } from "../../../src/base/codec.ts";
import { type Duration, parseDuration } from "../../../src/base/duration.ts";
import { BelfryError } from "../../../src/base/error.ts";
import { checkName } from "../../../src/base/names.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { timed } from "../../../src/engine/timed.ts";
import { attemptsUsed, notesAfterError } from "../../../src/execution/attempts.ts";
import { afterFailedAttempt } from "../../../src/execution/failed_attempt.ts";
import type { ClaimedJob, JobTransition, JobWrite, StepRecord } from "../../../src/storage/port.ts";
import { type Failure, fromFailure } from "../../../src/task/failure.ts";
import { digest, hexOf } from "../digest.ts";
import type * as wire from "../wire/mod.ts";
import { announce, claimLength, policyOf } from "./shared.ts";

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
  const answer = await save(engine, write, await settlementName(id, body), claimLength(undefined));
  announce(engine, job, transition, failure);
  return answer;
}

/** One claim settles once: by this name the storage knows a settlement that is sent again from one that says more or less. */
async function settlementName(id: string, body: wire.SettleBody): Promise<string> {
  return `settle:${hexOf(await digest(JSON.stringify([id, body])))}`;
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
  const told: Failure = { ...error, name: error.name ?? "Error" };
  const delayMs = retryIn === undefined ? undefined : parseDuration(retryIn, "retryIn");
  const settled = afterFailedAttempt({
    error: fromFailure(told),
    used: attemptsUsed(job),
    policy: policyOf(engine, job),
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
