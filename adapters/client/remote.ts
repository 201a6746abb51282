/**
 * A storage for workers that have a token and no database: the storage protocol over `fetch`.
 *
 * `new Belfry({ storage: remote(...) })` runs tasks with the engine's own worker, with claims, renewal, steps, children
 * and replay. Payloads travel as they are stored, so a codec's key may be known to the workers alone. It fires no
 * schedules: the program that has the database does. Every write names itself, so one without an answer is sent again by
 * the engine and does nothing the second time.
 */
import { BelfryError, type ErrorCode } from "../../src/base/error.ts";
import type { Storage } from "../../src/storage/port.ts";
import { type RemoteOptions, RequestError, sender } from "./request.ts";
import type { Shape } from "./shape.ts";

/** The operations that the storage protocol carries. */
type Carried = Pick<
  Storage,
  "migrate" | "claim" | "renew" | "save" | "enqueue" | "signal" | "cancel" | "retry" | "getJob" | "listJobs" | "close"
>;
/** Those that only a program with the database can do. */
type Refused = Exclude<keyof Storage, keyof Carried | "name" | "capabilities" | "listen" | "enqueueStatements">;

/** A reply with the server's time. */
type Reply<T> = Omit<T, "time"> & { time: number };
/** The reply of an operation. */
type ReplyOf<Operation extends "claim" | "renew" | "save" | "enqueue" | "signal"> = Reply<
  Awaited<ReturnType<Storage[Operation]>>
>;

/**
 * Makes a storage of a remote app, for workers: `belfry.run({ schedule: false })`.
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
export function remote(options: RemoteOptions): Storage {
  const send = sender(options);
  /** An exception of a storage means "broken or no answer"; which of the two is in its code. */
  const batch = async <T extends { time: number }>(operation: string, request: object, gives: Shape<T>): Promise<T> => {
    const { claim, ...rest } = request as { claim?: object };
    // The server's time counts.
    const json = { ...rest, now: undefined, ...(claim ? { claim: { ...claim, now: undefined } } : {}) };
    try {
      return await send<T>("POST", `/storage/${operation}`, { json, gives: { ...gives, time: "number" } as Shape<T> });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const { status, code: found } = error;
      const unsure = status === 0 || status === 429 || status >= 500 || found === "WRONG_ANSWER";
      const code: ErrorCode = unsure ? "STORAGE_UNAVAILABLE" : "STORAGE_UNUSABLE";
      throw new BelfryError(code, `The server of this worker: ${error.message}`, { cause: error });
    }
  };
  const ids = async (operation: "cancel" | "retry", request: object): Promise<string[]> =>
    (await batch<Reply<{ ids: string[] }>>(operation, request, { ids: "list" })).ids;
  const carried: Carried = {
    async migrate() {
      // Proves address and token, and learns the server's time.
      const { time } = await batch("jobs", { limit: 1, states: ["running"] }, {});
      return { from: 1, to: 1, warnings: [], time };
    },
    claim: (request) => batch<ReplyOf<"claim">>("claim", request, { jobs: "list", nextAt: "number?" }),
    renew: (request) => batch<ReplyOf<"renew">>("renew", request, { kept: "list" }),
    save: (request) => batch<ReplyOf<"save">>("save", request, { saved: "list" }),
    enqueue: (request) => batch<ReplyOf<"enqueue">>("enqueue", request, { jobs: "list" }),
    signal: (request) => batch<ReplyOf<"signal">>("signal", request, { outcomes: "list" }),
    cancel: (request) => ids("cancel", request),
    retry: (request) => ids("retry", request),
    getJob: async (request) =>
      (await batch<Reply<{ job: Awaited<ReturnType<Storage["getJob"]>> }>>("job", request, { job: "object?" })).job,
    listJobs: async (request) =>
      (await batch<Reply<{ jobs: Awaited<ReturnType<Storage["listJobs"]>> }>>("jobs", request, { jobs: "list" })).jobs,
    close: async () => {},
  };
  const refuse = (method: Refused) => (): Promise<never> =>
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
    ...carried,
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
