/**
 * The claim of the job protocol: a worker in any language gets jobs of a queue with their history, payloads as plain JSON.
 *
 * A claim is named by its token: sent again (because no answer came), it gives the same jobs and claims no others. Two
 * kinds of jobs are not handed out but fail here, as they do in the engine's own worker: those whose attempts are used up
 * (their workers died or lost them), and those of which a part cannot be read. The others of the claim go on.
 */
import { decodePayload } from "../../../src/base/codec.ts";
import { checkName } from "../../../src/base/names.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { timed } from "../../../src/engine/timed.ts";
import { attemptsUsedUp } from "../../../src/execution/attempts.ts";
import { shownName } from "../../../src/job/step_name.ts";
import type { ClaimedJob } from "../../../src/storage/port.ts";
import { type Failure, parseFailure, toFailure } from "../../../src/task/failure.ts";
import { parseJobOptions } from "../../../src/task/options.ts";
import type * as wire from "../wire/mod.ts";
import { announce, claimLength, eventOf, policyOf } from "./shared.ts";

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
  const jobs: wire.ClaimedJob[] = [];
  const failed: Failed[] = [];
  for (const job of reply.jobs) {
    const failure = attemptsUsedUp(job, policyOf(engine, job));
    if (failure) {
      failed.push({ job, failure });
      continue;
    }
    try {
      jobs.push(await showClaimed(engine, job));
    } catch (error) {
      failed.push({ job, failure: toFailure(error) });
      continue;
    }
    const lateMs = Math.max(0, now - (job.availableAt ?? now));
    engine.events.emit("job:started", { ...eventOf(job), resumed: job.steps.length > 0, lateMs });
  }
  if (failed.length > 0) await fail(engine, failed);
  return { token, jobs, nextAt: reply.nextAt };
}

/** A job that is not handed out. */
interface Failed {
  readonly job: ClaimedJob;
  readonly failure: Failure;
}

async function fail(engine: Engine, failed: Failed[]): Promise<void> {
  const writes = failed.map(({ job, failure }) => ({
    ...{ id: job.id, token: job.claimToken!, steps: [], forget: [], children: [] },
    transition: { to: "failed", error: JSON.stringify(failure) } as const,
  }));
  const now = engine.clock.now();
  const request = { op: engine.ids.token(), now, claimMs: claimLength(undefined), writes };
  const { saved } = await timed(engine, () => engine.storage.save(request));
  for (const [i, { job, failure }] of failed.entries()) {
    if (saved.some(({ id }) => id === job.id)) announce(engine, job, writes[i]!.transition, failure);
  }
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
