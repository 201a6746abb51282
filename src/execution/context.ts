/**
 * How do a handler's calls reach its run? The context checks their options and makes the run's durable calls.
 */

import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { Logger } from "../base/log.ts";
import { checkName } from "../base/names.ts";
import { checkOptions } from "../base/options.ts";
import { newJob } from "../job/make.ts";
import type { NewJob } from "../storage/port.ts";
import {
  CHILD_CHECKS,
  type ChildOptions,
  type Context,
  type JobInfo,
  STEP_CHECKS,
  type StepContext,
  type StepOptions,
  WAIT_CHECKS,
  type WaitOptions,
} from "../task/context.ts";
import { parseJobOptions, readInstant } from "../task/options.ts";
import { readRetry } from "../task/retry.ts";
import { type TaskReference, taskName } from "../task/task.ts";
import type { CallSpec } from "./durable_call.ts";
import type { Run } from "./run.ts";

/** Makes the context of a run. */
export function createContext(run: Run): Context {
  return new DurableContext(run);
}

class DurableContext implements Context {
  readonly #run: Run;
  #info: JobInfo | undefined;
  #log: Logger | undefined;

  constructor(run: Run) {
    this.#run = run;
  }

  get job(): JobInfo {
    this.#info ??= jobInfo(this.#run);
    return this.#info;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get fence(): number {
    return this.#run.job.claims;
  }

  get log(): Logger {
    this.#log ??= liveLogger(this.#run);
    return this.#log;
  }

  // Not async: the call is made at once, in the order of the code, and misuse is a rejection like any other.
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>, options: StepOptions = {}): Promise<T> {
    return this.#call(name, () => {
      if (typeof run !== "function") {
        throw new BelfryError(
          "OPTION_INVALID",
          `Cannot run step ${JSON.stringify(name)}: its second argument is of type ${typeof run}, but must be a function`,
        );
      }
      const what = `step ${JSON.stringify(name)}`;
      checkOptions(options, what, STEP_CHECKS);
      return {
        kind: "step",
        run,
        retry: options.retry === undefined ? null : readRetry(options.retry, what),
        timeoutMs: options.timeout === undefined ? null : parseDuration(options.timeout, `timeout of ${what}`),
      };
    }) as Promise<T>;
  }

  sleep(name: string, duration: Duration): Promise<void> {
    return this.#call(name, () => {
      const ms = parseDuration(duration, `sleep ${JSON.stringify(name)}`);
      return { kind: "sleep", until: (now) => now + ms };
    }) as Promise<void>;
  }

  sleepUntil(name: string, at: number | Date | { readonly epochMilliseconds: number }): Promise<void> {
    return this.#call(name, () => {
      const instant = readInstant(at, `sleepUntil ${JSON.stringify(name)}`);
      return { kind: "sleep", until: () => instant };
    }) as Promise<void>;
  }

  waitFor<T = unknown>(name: string, options: WaitOptions = {}): Promise<T> {
    return this.#call(name, () => {
      const what = `waitFor ${JSON.stringify(name)}`;
      checkOptions(options, what, WAIT_CHECKS);
      const { signal = name, timeout, onTimeout } = options;
      return {
        kind: "wait",
        signal,
        timeoutMs: timeout === undefined ? null : parseDuration(timeout, `timeout of ${what}`),
        throws: onTimeout === "throw",
      };
    }) as Promise<T>;
  }

  invoke<Output>(name: string, task: TaskReference, input?: unknown, options: ChildOptions = {}): Promise<Output> {
    return this.#child(name, "invoke", task, input, options) as Promise<Output>;
  }

  spawn(name: string, task: TaskReference, input?: unknown, options: ChildOptions = {}): Promise<string> {
    return this.#child(name, "spawn", task, input, options) as Promise<string>;
  }

  now(): number {
    return this.#run.calls.value("now()", () => this.#run.engine.clock.now());
  }

  random(): number {
    return this.#run.calls.value("random()", () => this.#run.engine.ids.random());
  }

  uuid(): string {
    return this.#run.calls.value("uuid()", () => this.#run.engine.ids.id(this.#run.engine.clock.now()));
  }

  patched(name: string): boolean {
    return this.#run.calls.patched(checkName(name, "patch"));
  }

  progress(value: unknown): void {
    this.#run.progress(value);
  }

  #child(
    name: string,
    kind: "invoke" | "spawn",
    task: TaskReference,
    input: unknown,
    options: ChildOptions,
  ): Promise<unknown> {
    return this.#call(name, () => {
      taskName(task);
      checkOptions(options, `${kind} ${JSON.stringify(name)}`, CHILD_CHECKS);
      const { engine, job } = this.#run;
      const { traceparent } = parseJobOptions(job.options);
      const child = (id: string): Promise<NewJob> =>
        newJob(engine, task, input, options, { id, parentId: kind === "invoke" ? job.id : null, traceparent });
      return { kind, child };
    });
  }

  #call(name: string, read: () => CallSpec): Promise<unknown> {
    try {
      checkName(name, "step");
      return this.#run.calls.call(name, read());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function jobInfo(run: Run): JobInfo {
  const { id, task, queue, priority, schedule, scheduledAt, createdAt, parentId, key, options, attempt } = run.job;
  const { version, tags = [] } = parseJobOptions(options);
  return { id, task, queue, attempt, priority, schedule, scheduledAt, createdAt, parentId, key, version, tags };
}

/** A logger that adds the job to each line and writes nothing while the code replays. */
function liveLogger(run: Run): Logger {
  const write =
    (level: keyof Logger) =>
    (message: string, details?: Record<string, unknown>): void => {
      if (run.replaying) return;
      run.engine.logger[level](message, { job: run.job.id, task: run.job.task, attempt: run.job.attempt, ...details });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
