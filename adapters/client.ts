/**
 * A Belfry that is somewhere else, over `fetch`: a client for tools and backends, and a storage for workers that have a
 * token and no database.
 *
 * `createClient` calls the routes that people use. `remote` is the worker's slice of the storage port: `new Belfry({
 * storage: remote(...) })` runs tasks with the engine's own worker, with claims, renewal, steps, children and replay, and
 * payloads pass as they are stored, so a codec's key may be known to the workers alone. It fires no schedules: who holds
 * the database does.
 *
 * Every write names itself, so one without an answer is sent again by the engine and does nothing the second time.
 */
import { type Clock, delay, systemClock } from "../src/base/clock.ts";
import { type Duration, formatDuration, parseDuration } from "../src/base/duration.ts";
import { BelfryError, type ErrorCode } from "../src/base/error.ts";
import { isOver } from "../src/job/ending.ts";
import type { Storage } from "../src/storage/port.ts";
import type * as wire from "./hono/wire/mod.ts";
import type { Problem } from "./hono/wire/types/common.ts";

export type { Problem } from "./hono/wire/types/common.ts";

/** Where the app is, and how to get in. */
export interface ClientOptions {
  /** Address under which the app is mounted: `https://example.com/belfry`. */
  url: string | URL;
  /** Bearer token; a function where it changes. */
  token?: string | (() => string | Promise<string>);
  /** How long one call may take. @default "30s" */
  timeout?: Duration;
  /** @default the runtime's `fetch` */
  fetch?: (request: Request) => Response | Promise<Response>;
  /** Time: for tests. @default the runtime's clock and timers */
  clock?: Clock;
}

/** Says that the server refused, or that no answer came (`status` 0: what was asked may or may not have happened). */
export class RequestError extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Stable code of the problem; `"NO_ANSWER"` where there was none. */
  readonly code: string;
  /** The problem as the server told it; null where it told none. */
  readonly problem: Problem | null;

  /**
   * @param message what was attempted and what is wrong
   * @param details status and problem
   * @param options `cause`: the error behind this one
   */
  constructor(message: string, details: { status: number; problem: Problem | null }, options?: ErrorOptions) {
    super(message, options);
    this.name = "RequestError";
    this.status = details.status;
    this.problem = details.problem;
    this.code = details.problem?.code ?? (details.status === 0 ? "NO_ANSWER" : `HTTP_${details.status}`);
  }
}

interface Call {
  query?: object;
  json?: unknown;
  signal?: AbortSignal | undefined;
}

type Send = <T>(method: string, path: string, call?: Call) => Promise<T>;

function sender(options: ClientOptions): Send {
  const { token, fetch = (request) => globalThis.fetch(request), timeout = "30s" } = options;
  const timeoutMs = parseDuration(timeout, "timeout", { minMs: 1 });
  const base = String(options.url).replace(/\/+$/, "");
  return async <T>(method: string, path: string, { query = {}, json, signal }: Call = {}): Promise<T> => {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) url.searchParams.append(name, String(one));
    }
    const bearer = typeof token === "function" ? await token() : token;
    const limit = AbortSignal.timeout(timeoutMs);
    const what = `${method} ${url.pathname}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(
        new Request(url, {
          method,
          headers: {
            ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
            ...(json === undefined ? {} : { "Content-Type": "application/json" }),
          },
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
          ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        }),
      );
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RequestError(`No answer to ${what}: ${why}`, { status: 0, problem: null }, { cause });
    }
    const { status } = response;
    const body = parse(text);
    if (response.ok || (status === 503 && isHealth(body))) return body as T;
    const problem = isProblem(body) ? body : null;
    throw new RequestError(`${what} was refused: ${status} ${problem?.detail ?? text.slice(0, 200)}`, {
      status,
      problem,
    });
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && "detail" in body;
}

function isHealth(body: unknown): boolean {
  return typeof body === "object" && body !== null && "ok" in body;
}

const name = encodeURIComponent;
const FIRST_POLL_MS = 100;
const LAST_POLL_MS = 2_000;

/** Calls of an app. All throw {@link RequestError} when they are refused or get no answer. */
export class Client {
  readonly #send: Send;
  readonly #clock: Clock;

  /** @param options where the app is, and how to get in */
  constructor(options: ClientOptions) {
    this.#send = sender(options);
    this.#clock = options.clock ?? systemClock;
  }

  /** Calls any route: for what has no method here. @param path begins with a slash */
  call<T>(
    method: string,
    path: string,
    options?: { query?: object; json?: unknown; signal?: AbortSignal },
  ): Promise<T> {
    return this.#send<T>(method, path, options);
  }

  /** Makes one bounded pass at the server. */
  tick(query: wire.TickQuery = {}): Promise<wire.TickAnswer> {
    return this.#send("POST", "/tick", { query });
  }

  /** Says whether anything is wrong; needs the scope `read` to say what. */
  health(query: wire.HealthQuery = {}): Promise<wire.HealthAnswer> {
    return this.#send("GET", "/health", { query });
  }

  /** Puts a job into its queue; with a `key` it can be sent again. */
  enqueue(
    task: string,
    input?: unknown,
    options: Omit<wire.EnqueueBody, "task" | "input"> = {},
  ): Promise<wire.EnqueueAnswer> {
    return this.#send("POST", "/jobs", { json: { task, input, ...options } });
  }

  /** Reads a job with its history. */
  job(id: string): Promise<wire.JobDetail> {
    return this.#send("GET", `/jobs/${name(id)}`);
  }

  /** Lists jobs, newest first; `next` of a page is the `cursor` of the one after. */
  jobs(query: wire.JobsQuery = {}): Promise<wire.JobPage> {
    return this.#send("GET", "/jobs", { query });
  }

  /**
   * Waits until a job is over, looking at it now and then.
   *
   * @param options `timeout`: how long at most; `signal`: gives up waiting
   * @returns the job; see its `state` for how it ended
   * @throws BelfryError `RESULT_TIMEOUT`; the signal's reason when it was aborted
   */
  async ended(id: string, options: { timeout?: Duration; signal?: AbortSignal } = {}): Promise<wire.JobDetail> {
    const timeoutMs = options.timeout === undefined ? Infinity : parseDuration(options.timeout, "timeout");
    const startMs = this.#clock.monotonic();
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LAST_POLL_MS)) {
      options.signal?.throwIfAborted();
      const job = await this.job(id);
      if (isOver(job.state)) return job;
      const leftMs = timeoutMs - (this.#clock.monotonic() - startMs);
      if (leftMs <= 0) {
        throw new BelfryError(
          "RESULT_TIMEOUT",
          `Job ${id} was not over within ${formatDuration(timeoutMs)}: it is ${job.state}, and goes on`,
        );
      }
      await delay(this.#clock, Math.min(pollMs, leftMs), options.signal);
    }
  }

  /** Cancels a job and all that it invoked. */
  async cancel(id: string, reason?: string): Promise<string[]> {
    const json = reason === undefined ? {} : { reason };
    return (await this.#send<wire.IdsAnswer>("POST", `/jobs/${name(id)}/cancel`, { json })).ids;
  }

  /** Puts a failed, cancelled or expired job back. */
  async retry(id: string): Promise<string[]> {
    return (await this.#send<wire.IdsAnswer>("POST", `/jobs/${name(id)}/retry`, { json: {} })).ids;
  }

  /** Sends a value to a job that waits for it, or will; the same `key` is taken once. */
  async signal(
    id: string,
    signal: string,
    value?: unknown,
    options: { key?: string } = {},
  ): Promise<"accepted" | "duplicate"> {
    const path = `/jobs/${name(id)}/signals/${name(signal)}`;
    return (await this.#send<wire.SignalOutcome>("POST", path, { json: { value, ...options } })).outcome;
  }

  /** Registers a schedule, or brings the stored one up to date. */
  schedule(schedule: string, body: wire.ScheduleBody): Promise<wire.RegisteredAnswer> {
    return this.#send("PUT", `/schedules/${name(schedule)}`, { json: body });
  }

  /** Lists schedules in order of name. */
  schedules(query: wire.SchedulesQuery = {}): Promise<wire.SchedulePage> {
    return this.#send("GET", "/schedules", { query });
  }

  /** Removes a schedule. @returns false where there was none */
  async removeSchedule(schedule: string): Promise<boolean> {
    return (await this.#send<wire.RemovedAnswer>("DELETE", `/schedules/${name(schedule)}`)).removed;
  }

  /** Says what became of an occurrence. @param at epoch ms, or local time of the schedule's zone */
  explain(schedule: string, at: number | string): Promise<wire.ExplainAnswer> {
    return this.#send("GET", `/schedules/${name(schedule)}/explain`, { query: { at } });
  }
}

/** Makes a {@link Client}. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/** What a server with the storage does. */
type Elsewhere = Exclude<keyof Storage, keyof Worked | "name" | "capabilities" | "listen" | "enqueueStatements">;
type Worked = Pick<
  Storage,
  "migrate" | "claim" | "renew" | "save" | "enqueue" | "signal" | "cancel" | "retry" | "getJob" | "listJobs" | "close"
>;

/**
 * Makes a storage of an app that is somewhere else, for workers: `belfry.run({ schedule: false })`.
 *
 * @param options the token needs the scope `work`
 *
 * @example
 * ```ts no-run
 * import { Belfry } from "belfry";
 * import { remote } from "belfry/client";
 *
 * const storage = remote({ url: "https://example.com/belfry", token: "a-long-random-text" });
 * const belfry = new Belfry({ storage });
 * belfry.task("resize", async (ctx, input: { url: string }) => ctx.step("load", () => input.url.length));
 * await belfry.run({ schedule: false });
 * ```
 */
export function remote(options: ClientOptions): Storage {
  const send = sender(options);
  /** An exception of a storage means "broken or no answer"; which of the two is in its code. */
  const batch = async <T>(operation: string, request: object): Promise<T> => {
    const { claim, ...rest } = request as { claim?: object };
    // The server's time counts.
    const json = { ...rest, now: undefined, ...(claim ? { claim: { ...claim, now: undefined } } : {}) };
    try {
      return await send<T>("POST", `/storage/${operation}`, { json });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { status } = error;
      const unsure = status === 0 || status === 429 || status >= 500;
      const code: ErrorCode = unsure ? "STORAGE_UNAVAILABLE" : "STORAGE_UNUSABLE";
      throw new BelfryError(code, `The server of this worker: ${error.message}`, { cause: error });
    }
  };
  const worked: Worked = {
    async migrate() {
      // Proves address and token, and learns the server's time.
      const { time } = await batch<{ time: number }>("jobs", { limit: 1, states: ["running"] });
      return { from: 1, to: 1, warnings: [], time };
    },
    claim: (request) => batch("claim", request),
    renew: (request) => batch("renew", request),
    save: (request) => batch("save", request),
    enqueue: (request) => batch("enqueue", request),
    signal: (request) => batch("signal", request),
    cancel: async (request) => (await batch<{ ids: string[] }>("cancel", request)).ids,
    retry: async (request) => (await batch<{ ids: string[] }>("retry", request)).ids,
    getJob: async (request) => (await batch<{ job: Awaited<ReturnType<Storage["getJob"]>> }>("job", request)).job,
    listJobs: async (request) =>
      (await batch<{ jobs: Awaited<ReturnType<Storage["listJobs"]>> }>("jobs", request)).jobs,
    close: async () => {},
  };
  const refuse = (method: Elsewhere) => (): Promise<never> =>
    Promise.reject(
      new BelfryError(
        "STORAGE_UNUSABLE",
        `Cannot ${method} over HTTP: this storage is for work only; run with { schedule: false }, ` +
          "and register schedules by createClient or where the database is",
      ),
    );
  return {
    name: "remote",
    capabilities: {
      serverClock: true,
      durable: true,
      shared: true,
      statements: false,
      maxBatchRows: 500,
      maxBatchBytes: 1_000_000,
    },
    ...worked,
    beginTick: refuse("beginTick"),
    fire: refuse("fire"),
    resign: refuse("resign"),
    putSchedules: refuse("putSchedules"),
    listSchedules: refuse("listSchedules"),
    listOccurrences: refuse("listOccurrences"),
    putQueues: refuse("putQueues"),
    listQueues: refuse("listQueues"),
    purge: refuse("purge"),
    stats: refuse("stats"),
    exportPage: refuse("exportPage"),
    importPage: refuse("importPage"),
  };
}
