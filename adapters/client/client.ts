/**
 * The client of a remote app, for tools and backends: the words of the library over `fetch`, so that
 * `client.schedules.pause("daily")` does what `belfry.schedules.pause("daily")` does where the app runs.
 */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";
import { abortSignal, aClock, anything, type Checks, checkOptions, unfit } from "../../src/base/options.ts";
import type { Expression, ScheduleArguments } from "../../src/schedule/options.ts";
import {
  ENQUEUE_CHECKS,
  type EnqueueOptions,
  JOB_REQUEST_CHECKS,
  type JobRequest,
  type TypedJobRequest,
} from "../../src/task/options.ts";
import { type InputArguments, type TaskReference, taskName } from "../../src/task/task.ts";
import type * as wire from "../hono/wire/mod.ts";
import { sendable } from "./dates.ts";
import { ClientJob } from "./job.ts";
import { ClientJobs } from "./jobs.ts";
import { ClientQueues } from "./queues.ts";
import { REMOTE_CHECKS, type RemoteOptions, type Send, sender } from "./request.ts";
import { ClientSchedules } from "./schedules.ts";

/** Where the app is, and how to get in. */
export interface ClientOptions extends RemoteOptions {
  /** The time that waiting for results goes by: for tests. @default the runtime's clock and timers */
  clock?: Clock;
}

/** What to send with `call`. */
export interface CallOptions {
  /** Parameters of the query; a list repeats its name. */
  query?: Record<string, unknown>;
  /** The body. */
  json?: object;
  /** Gives up the call. */
  signal?: AbortSignal;
}

const CLIENT_CHECKS: Checks<ClientOptions> = { ...REMOTE_CHECKS, clock: aClock };

const CALL_CHECKS: Checks<CallOptions> = {
  query: (value, name, of) => {
    if (typeof value !== "object" || value === null) throw unfit(value, name, of, "an object");
  },
  json: anything,
  signal: abortSignal,
};

/** How far `tick` may go. */
export interface ClientTickOptions {
  /** Keep ticking and running for this long. @default one pass */
  for?: Duration;
  /** Whether to run jobs, too, where the server has tasks. @default true */
  work?: boolean;
}

/** How closely `health` looks. */
export interface ClientHealthOptions {
  /** How long an occurrence may be due before that is a problem. @default "90s" */
  maxLag?: Duration;
  /** Read every schedule, to name those that would break or have nothing ahead. @default false */
  deep?: boolean;
}

/**
 * Calls of an app. All throw `RequestError` when they are refused or get no usable answer.
 *
 * @example
 * ```ts no-run
 * import { createClient, type Task } from "belfry/client";
 *
 * const client = createClient({ url: "https://example.com/belfry", token: "a-long-random-text" });
 * const report: Task<{ userId: number }, string> = { name: "report" }; // its code is at the server
 * const job = await client.enqueue(report, { userId: 7 }, { key: "report-7" });
 * console.log(await job.result({ timeout: "5m" }));
 * ```
 */
export class Client {
  /** Lists and reads jobs; retries and cancels many at once. */
  readonly jobs: ClientJobs;
  /** Reads, changes and operates schedules; tells what they did and will do. */
  readonly schedules: ClientSchedules;
  /** Shows how deep queues are; sets their limits; pauses and resumes them. */
  readonly queues: ClientQueues;
  readonly #send: Send;
  readonly #clock: Clock;

  /** @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID` */
  constructor(options: ClientOptions) {
    checkOptions(options, "the client", CLIENT_CHECKS);
    const { clock = systemClock, ...access } = options;
    this.#send = sender(access);
    this.#clock = clock;
    this.jobs = new ClientJobs(this.#send);
    this.schedules = new ClientSchedules(this.#send);
    this.queues = new ClientQueues(this.#send);
  }

  /**
   * Calls any route that answers with a JSON object: for what has no method here.
   *
   * @param path begins with a slash
   */
  async call<T extends object>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    checkOptions(options, "call", CALL_CHECKS);
    return this.#send<T>(method, path, { ...options, gives: {} });
  }

  /**
   * Puts a job into its queue.
   *
   * @param task a task, or its name
   * @returns a handle to wait for the result
   * @throws RequestError as `belfry.enqueue`; with a `key` the call can be sent again when no answer came
   */
  async enqueue<Output = unknown, Input = unknown>(
    task: TaskReference<Input, Output>,
    ...[input, options = {}]: InputArguments<Input, EnqueueOptions>
  ): Promise<ClientJob<Output>> {
    const gives = { id: "text", created: "flag" } as const;
    const json = { ...sendable(options), task: taskName(task), input };
    return this.#handle(await this.#send<wire.EnqueueAnswer>("POST", "/jobs", { json, gives }));
  }

  /**
   * Puts many jobs into their queues; all are checked before any is stored.
   *
   * @param jobs at most 500
   */
  async enqueueMany<Inputs extends readonly unknown[]>(
    jobs: readonly [...{ [Index in keyof Inputs]: TypedJobRequest<Inputs[Index]> }],
  ): Promise<ClientJob[]> {
    const read = (job: JobRequest): object => {
      checkOptions(job, "a job of enqueueMany", JOB_REQUEST_CHECKS);
      const { task, input, options = {} } = job;
      checkOptions(options, "a job of enqueueMany", ENQUEUE_CHECKS);
      return { ...sendable(options), task: taskName(task), input };
    };
    const json = { jobs: (jobs as readonly JobRequest[]).map(read) };
    const call = { json, gives: { jobs: "list" } as const };
    return (await this.#send<wire.EnqueueManyAnswer>("POST", "/jobs/enqueue", call)).jobs.map((job) =>
      this.#handle(job),
    );
  }

  /** Gives a handle to a job by its id, without asking the server. */
  job<Output = unknown>(id: string): ClientJob<Output> {
    return new ClientJob<Output>({ send: this.#send, clock: this.#clock }, id);
  }

  /**
   * Registers a schedule, or brings the stored one up to date; the same definition changes nothing.
   *
   * @param expression 5 or 6 cron fields, a nickname, `@every 90s`, or one instant
   * @param task a task, or its name
   * @throws RequestError as `belfry.schedule`
   */
  schedule<Input = unknown>(
    name: string,
    expression: Expression,
    task: TaskReference<Input>,
    ...[options]: ScheduleArguments<Input>
  ): Promise<wire.RegisteredAnswer> {
    return this.schedules.put({ name, expression, task: task as TaskReference, options });
  }

  /** Makes one bounded pass at the server. */
  tick(options: ClientTickOptions = {}): Promise<wire.TickAnswer> {
    const gives = { leader: "flag", fired: "number", skipped: "number", more: "flag" } as const;
    return this.#send("POST", "/tick", { query: { ...options, for: written(options.for) }, gives });
  }

  /** Says whether anything is wrong; the token needs the scope `read` to learn what. */
  health(options: ClientHealthOptions = {}): Promise<wire.HealthAnswer> {
    const query = { ...options, maxLag: written(options.maxLag) };
    return this.#send("GET", "/health", { query, gives: { ok: "flag" }, also: [503] });
  }

  #handle<Output>({ id, created }: { id: string; created: boolean }): ClientJob<Output> {
    return new ClientJob<Output>({ send: this.#send, clock: this.#clock }, id, created);
  }
}

/** Makes a {@link Client}. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/** A duration as a query takes it. */
function written(duration: Duration | undefined): string | undefined {
  return typeof duration === "number" ? `${duration}ms` : duration;
}
