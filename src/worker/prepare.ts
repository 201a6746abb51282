/**
 * Turns a claimed job into a run (which code, policy and input), or into a verdict when it cannot run here.
 *
 * A job keeps the version of its task that it was enqueued for, or else began with. If that version is not registered here
 * (an old process in a rolling deploy, or removed code), the job is put off for a worker that has it. If all attempts of
 * a job are used up when it is claimed, its workers died or lost it: it fails without running, so a job that kills every
 * worker does so a known number of times.
 */
import { decodeNow } from "../base/codec.ts";
import { runEvent } from "../engine/events.ts";
import { attemptsUsedUp } from "../execution/attempts.ts";
import { createContext } from "../execution/context.ts";
import { Run, type RunHost } from "../execution/run.ts";
import { readNotes } from "../job/notes.ts";
import type { ClaimedJob, JobTransition } from "../storage/port.ts";
import type { TaskDefinition } from "../task/definition.ts";
import { type Failure, toFailure } from "../task/failure.ts";
import { parseJobOptions } from "../task/options.ts";
import { validate } from "../task/schema.ts";
import type { UnknownTasks } from "./unknown_tasks.ts";

/** A job of a version that is not registered here is put off by this much. */
const OTHER_VERSION_MS = 10_000;

/** What becomes of a job without calling its handler. */
export interface Verdict {
  readonly transition: JobTransition;
  /** The error of a job that fails; null: it does not fail. */
  readonly failure: Failure | null;
}

/** A run that `start()` begins, or what becomes of the job without one. */
export type Prepared =
  | { readonly run: Run; readonly verdict?: undefined }
  | { readonly run: null; readonly verdict: Verdict };

/** Prepares a claimed job; never throws: a job that cannot be read fails. */
export function prepare(host: RunHost, job: ClaimedJob, unknown: UnknownTasks): Prepared {
  try {
    return prepareRun(host, job, unknown);
  } catch (error) {
    return fail(toFailure(error));
  }
}

function prepareRun(host: RunHost, job: ClaimedJob, unknown: UnknownTasks): Prepared {
  const { engine } = host;
  const options = parseJobOptions(job.options);
  const notes = readNotes(job);
  const version = options.version ?? notes.version;
  const definition = engine.tasks.get(job.task, version);
  if (!definition) {
    unknown.reportVersion(job, version);
    const availableAt = engine.clock.now() + OTHER_VERSION_MS;
    const transition = { to: "ready", availableAt, resuming: true, error: job.error } as const;
    return { run: null, verdict: { transition, failure: null } };
  }
  const policy = options.retry ?? definition.retry;
  const usedUp = attemptsUsedUp(job, policy);
  if (usedUp) return fail(usedUp);
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
  return { run };
}

function fail(failure: Failure): Prepared {
  return { run: null, verdict: { transition: { to: "failed", error: JSON.stringify(failure) }, failure } };
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
