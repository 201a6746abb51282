/** What the HTTP tests share: an app on a storage, a clock that is moved by hand, a token for each scope, short calls. */

import {
  type AppOptions,
  type BelfryApp,
  createApp,
  type Problem,
  type Scope,
  type TokenRule,
} from "../../../adapters/hono/mod.ts";
import { memory } from "../../../adapters/memory.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry, type BelfryOptions } from "../../../src/belfry.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { countedIds, FakeClock } from "../../../src/testing/mod.ts";

export const START = Date.UTC(2026, 0, 5, 8, 59, 30);
export const MINUTE = 60_000;

/** A token for each scope. */
export const TOKENS: Record<Scope, string> = {
  tick: "tick-token-0123456789",
  enqueue: "enqueue-token-0123456",
  work: "work-token-0123456789",
  read: "read-token-0123456789",
  admin: "admin-token-012345678",
};

export const TOKEN_RULES: TokenRule[] = (["tick", "enqueue", "work", "read", "admin"] as const).map((scope) => ({
  token: TOKENS[scope],
  scopes: [scope],
}));

export const AUTH: AppOptions["auth"] = { tokens: TOKEN_RULES };

export interface CallOptions {
  /** Whose token; null: none. @default "admin" */
  as?: Scope | null;
  /** A token of its own. */
  token?: string;
  json?: unknown;
  body?: string | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every form
  body: any;
}

export interface Bench {
  belfry: Belfry;
  app: BelfryApp;
  clock: FakeClock;
  errors: { error: unknown; during: string }[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

let seed = 100;

/** Makes an app. */
export function bench(
  options: { storage?: Storage; app?: Partial<AppOptions>; belfry?: Partial<BelfryOptions> } = {},
): Bench {
  const clock = new FakeClock(START);
  const errors: Bench["errors"] = [];
  const belfry = new Belfry({
    storage: options.storage ?? memory(),
    clock,
    ids: countedIds(++seed),
    logger: silentLogger,
    onError: (error, during) => errors.push({ error, during }),
    ...options.belfry,
  });
  const app = createApp(belfry, { auth: AUTH, ...options.app });
  return { belfry, app, clock, errors, call: caller((request) => app.fetch(request)) };
}

/** Makes short calls of a fetch function. */
export function caller(
  fetch: (request: Request) => Response | Promise<Response>,
  base = "http://belfry.test",
): Bench["call"] {
  return async (method, path, { as = "admin", token, json, body, headers = {} } = {}) => {
    const bearer = token ?? (as === null ? undefined : TOKENS[as]);
    const init: RequestInit & { duplex?: "half" } = {
      method,
      headers: {
        ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
    };
    if (json !== undefined) init.body = JSON.stringify(json);
    if (body !== undefined) {
      init.body = body;
      if (typeof body !== "string") init.duplex = "half";
    }
    const response = await fetch(new Request(base + path, init));
    const text = await response.text();
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    return { status: response.status, headers: response.headers, text, body: parsed };
  };
}

/** What is stored, all of it, for "nothing was written". */
export async function everything(storage: Storage): Promise<string> {
  const pages: unknown[] = [];
  let cursor: string | null = null;
  do {
    const reply = await storage.exportPage({ cursor, limit: 1_000 });
    if (reply.page.rows.length > 0) pages.push(reply.page);
    cursor = reply.cursor;
  } while (cursor !== null);
  return JSON.stringify(pages);
}

/** Checks that an answer is a problem of a code, told without a stack. */
export function problemIn(answer: Answer): Problem {
  const type = answer.headers.get("Content-Type");
  if (type !== "application/problem+json") throw new Error(`no problem but ${type}: ${answer.status} ${answer.text}`);
  if (/\n\s+at |\.ts:\d|node_modules/.test(answer.text)) throw new Error(`a stack: ${answer.text}`);
  const problem = answer.body as Problem;
  if (problem.status !== answer.status) throw new Error(`status ${answer.status} told as ${problem.status}`);
  return problem;
}

/** Hides the clock of a storage that is a server, so that the test's own is the one that counts. */
export function untimed(storage: Storage): Storage {
  return new Proxy(storage, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const answer: unknown = value.apply(target, args);
        if (!(answer instanceof Promise)) return answer;
        return answer.then((reply: unknown) => {
          if (typeof reply !== "object" || reply === null || !("time" in reply)) return reply;
          const { time: _time, ...rest } = reply;
          return rest;
        });
      };
    },
  });
}
