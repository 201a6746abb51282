/**
 * From a claimed job to a run: which code, which policy, which input; or why it cannot run here.
 *
 * A job keeps the version of its task that it was enqueued for, or else began with. One whose version is not registered
 * here (an old pod in a rolling deploy, or code that is gone) is put off for a worker that has it, and reported once.
 * A job whose attempts are all used up when it is claimed has lost its workers: it ends here without running, so what
 * kills every worker that touches it does so a known number of times.
 */
import { decodeNow } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { runEvent } from "../engine/events.ts";
import { attemptsUsed } from "../execution/attempts.ts";
import { createContext } from "../execution/context.ts";
import { Run, type RunHost } from "../execution/run.ts";
import { readNotes } from "../job/notes.ts";
import type { ClaimedJob } from "../storage/port.ts";
import type { TaskDefinition } from "../task/definition.ts";
import { toFailure } from "../task/failure.ts";
import { parseJobOptions } from "../task/options.ts";
import { maxAttempts } from "../task/retry.ts";
import { validate } from "../task/schema.ts";

/** A job of a version that is not registered here is put off by this much. */
const OTHER_VERSION_MS = 10_000;

const toldVersions = new WeakMap<RunHost, Set<string>>();

/** Makes the run of a claimed job; `start()` begins it. */
export function prepare(host: RunHost, job: ClaimedJob): Run {
  const { engine } = host;
  const options = parseJobOptions(job.options);
  const notes = readNotes(job);
  const version = options.version ?? notes.version;
  const definition = engine.tasks.get(job.task, version);
  if (!definition) {
    tellVersion(host, job, version);
    const availableAt = engine.clock.now() + OTHER_VERSION_MS;
    return new Run(host, {
      job,
      verdict: { transition: { to: "ready", availableAt, resuming: true, error: job.error }, failure: null },
    });
  }
  const policy = options.retry ?? definition.retry;
  const allowed = maxAttempts(policy);
  if (attemptsUsed(job) > allowed) {
    const text = `Job ${job.id} used up its ${allowed} attempts: its worker died or lost it in the last one`;
    const failure = toFailure(new BelfryError("CLAIM_LOST", text));
    if (job.error !== null) failure.cause = JSON.parse(job.error);
    return new Run(host, { job, verdict: { transition: { to: "failed", error: JSON.stringify(failure) }, failure } });
  }
  const run: Run = new Run(host, {
    job,
    policy,
    timeoutMs: options.timeoutMs ?? definition.timeoutMs,
    handler: () => {
      if (version === undefined && definition.version !== undefined) {
        run.note({ ...notes, version: definition.version });
      }
      const tracing = engine.tracing;
      return tracing ? tracing.wrap(runEvent(job), () => callHandler(run, definition)) : callHandler(run, definition);
    },
  });
  return run;
}

/** Reads and checks the input, then calls the user's code. */
function callHandler(run: Run, definition: TaskDefinition): unknown {
  const { engine, job } = run;
  const what = `input of task ${JSON.stringify(job.task)}`;
  const input = decodeNow(engine.codec, job.input, what);
  const { schema, handler } = definition;
  if (!(input instanceof Promise) && !schema) return handler(createContext(run), input);
  return Promise.resolve(input)
    .then((value) => (schema ? validate(schema, value, what) : value))
    .then((value) => handler(createContext(run), value));
}

function tellVersion(host: RunHost, job: ClaimedJob, version: string | undefined): void {
  const told = toldVersions.get(host) ?? new Set<string>();
  toldVersions.set(host, told);
  const text = `${job.task} ${version}`;
  if (told.has(text)) return;
  told.add(text);
  host.engine.report(
    new BelfryError(
      "TASK_UNKNOWN",
      `Job ${job.id} is for version ${JSON.stringify(version)} of task ${JSON.stringify(job.task)}, which is not registered ` +
        "in this worker; it stays ready for a worker that has it",
    ),
    "preparing a job",
  );
}
