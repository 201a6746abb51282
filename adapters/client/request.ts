/**
 * How does the client call a route? One request over `fetch`, with a token, within a time limit, and its answer checked:
 * an answer that is no JSON, or not of the form that this call gives, is an error even where its status says success (a
 * login page, a proxy's greeting). A call that was not answered as expected may have happened; {@link RequestError} says so.
 */
import { toJson } from "../../src/base/codec.ts";
import { type Duration, parseDuration } from "../../src/base/duration.ts";
import { type Checks, callback, checkOptions, duration, text, unfit } from "../../src/base/options.ts";
import type { Problem } from "../hono/wire/types/common.ts";
import { misfit, type Shape } from "./shape.ts";

/** Address of the app, and the token for it. */
export interface RemoteOptions {
  /** Address under which the app is mounted: `https://example.com/belfry`. */
  url: string | URL;
  /** Bearer token; a function where it changes. */
  token?: string | (() => string | Promise<string>);
  /** How long one call may take. @default "30s" */
  timeout?: Duration;
  /** Sends a request. @default the runtime's `fetch` */
  fetch?: (request: Request) => Response | Promise<Response>;
}

/**
 * Says that the server refused, or that no usable answer came.
 *
 * - `status` 0, code `NO_ANSWER`: no answer came; what was asked may or may not have happened.
 * - code `WRONG_ANSWER`: something answered that is not this app, or not as this version expects; the same holds.
 * - any other: the server refused, with the `code` of its problem.
 */
export class RequestError extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Stable code of the problem; `"NO_ANSWER"` or `"WRONG_ANSWER"` where there was none. */
  readonly code: string;
  /** The problem as the server described it; null where it described none. */
  readonly problem: Problem | null;

  /**
   * @param message what was attempted and what is wrong
   * @param details status, code and problem
   * @param options `cause`: the error behind this one
   */
  constructor(
    message: string,
    details: { status: number; code: string; problem?: Problem | null },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "RequestError";
    this.status = details.status;
    this.code = details.code;
    this.problem = details.problem ?? null;
  }
}

const QUERY_TYPES = new Set(["string", "number", "boolean"]);

/** Checks of {@link RemoteOptions}. */
export const REMOTE_CHECKS: Checks<RemoteOptions> = {
  url: (value, name, of) => {
    if (!URL.canParse(String(value))) throw unfit(value, name, of, 'an address such as "https://example.com/belfry"');
  },
  token: (value, name, of) => {
    if (typeof value !== "function") text(value, name, of);
  },
  timeout: duration({ minMs: 1 }),
  fetch: callback,
};

/** One call. */
export interface Call<T> {
  /** Values of one name as a list; undefined ones are left out. */
  query?: Readonly<Record<string, unknown>>;
  json?: object;
  /** Gives up the call. */
  signal?: AbortSignal | undefined;
  /** The form of a good answer. */
  gives: Shape<T>;
  /** Other statuses than 2xx that carry a good answer. */
  also?: readonly number[];
}

/** Calls a route. @throws RequestError */
export type Send = <T>(method: string, path: string, call: Call<T>) => Promise<T>;

/** Makes the function that calls routes. @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID` */
export function sender(options: RemoteOptions): Send {
  checkOptions(options, "the client", REMOTE_CHECKS);
  REMOTE_CHECKS.url(options.url, "url", "the client");
  const { token, fetch = (request) => globalThis.fetch(request), timeout = "30s" } = options;
  const timeoutMs = parseDuration(timeout, "timeout");
  const base = String(options.url).replace(/\/+$/, "");
  return async <T>(method: string, path: string, { query = {}, json, signal, gives, also = [] }: Call<T>) => {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query)) {
      for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
        if (one === undefined) continue;
        if (!QUERY_TYPES.has(typeof one))
          throw unfit(one, name, `${method} ${url.pathname}`, "text, a number or a flag");
        url.searchParams.append(name, String(one));
      }
    }
    // JSON alone would leave functions out and write NaN as null, which means "back to the default" in a patch.
    const body = json === undefined ? undefined : toJson(json, `body of ${method} ${url.pathname}`);
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
            Accept: "application/json",
            ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          },
          signal: signal ? AbortSignal.any([signal, limit]) : limit,
          ...(body === undefined ? {} : { body }),
        }),
      );
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RequestError(`No answer to ${what}: ${why}`, { status: 0, code: "NO_ANSWER" }, { cause });
    }
    return read(response, text, { what, gives, also });
  };
}

function read<T>(
  response: Response,
  text: string,
  { what, gives, also }: { what: string; gives: Shape<T>; also: readonly number[] },
): T {
  const { status } = response;
  const body = isJson(response) ? parse(text) : undefined;
  if (response.ok || (also.includes(status) && !isProblem(body))) {
    const wrong = misfit(body, gives as Readonly<Record<string, string>>);
    if (wrong === undefined) return body as T;
    const type = response.headers.get("Content-Type") ?? "no Content-Type";
    throw new RequestError(
      `Wrong answer to ${what}: ${status} with ${type}, ${wrong}; is url the address under which Belfry's app is mounted? ` +
        `It begins ${JSON.stringify(text.slice(0, 80))}`,
      { status, code: "WRONG_ANSWER" },
    );
  }
  const problem = isProblem(body) ? body : null;
  throw new RequestError(`${what} was refused: ${status} ${problem?.detail ?? text.slice(0, 200)}`, {
    status,
    code: problem?.code ?? `HTTP_${status}`,
    problem,
  });
}

function isJson(response: Response): boolean {
  return /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(response.headers.get("Content-Type") ?? "");
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

/** Writes a part of a path. */
export function part(name: string): string {
  return encodeURIComponent(name);
}
