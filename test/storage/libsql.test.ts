/**
 * Is the libSQL adapter a storage? The kit on files, on sqld over HTTP and WebSocket, with tokens, and on an embedded
 * replica. `libsql_model.test.ts` compares it with the model.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type Config, createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { libsql } from "../../adapters/libsql.ts";
import { sqliteDialect } from "../../src/sql/dialect.ts";
import type { Statement } from "../../src/storage.ts";
import { storageConformance } from "../../src/testing/mod.ts";
import { type SqldEngine, startSqld } from "../engines/sqld.ts";
import { emptying, Worlds } from "./worlds.ts";

let made = 0;
let replicas = 0;

/** Cases on one server keep apart by their table prefix. */
const freshPrefix = (): string => `t${process.pid}_${made++}_`;

/** Tables of one prefix, and the clients that reach them. */
interface World {
  prefix: string;
  clients: Client[];
}

/** Runs the kit on clients of one kind. @param direct a client that empties the tables; absent: the world's first */
function kit(
  name: string,
  connect: () => Client,
  {
    serverClock = true,
    replica = false,
    direct,
  }: { serverClock?: boolean; replica?: boolean; direct?: () => Client } = {},
): void {
  let cleaner: Client | undefined;
  const worlds = new Worlds<World>({
    make: () => ({ prefix: freshPrefix(), clients: [connect()] }),
    empty: async ({ prefix, clients }) => {
      if (direct) cleaner ??= direct();
      await (cleaner ?? clients[0]!).batch(emptying(prefix, sqliteDialect), "write");
    },
  });
  afterAll(async () => {
    await worlds.end(({ clients }) => {
      for (const client of clients) client.close();
    });
    cleaner?.close();
  });
  storageConformance({
    name: `libsql ${name}`,
    test,
    skip: test.skip,
    manifest: { reopen: true, listen: false, statements: true, durable: true, serverClock },
    open: async () => {
      const world = await worlds.take();
      const { prefix, clients } = world;
      let opened = 1;
      return {
        storage: libsql(clients[0]!, { replica, prefix }),
        clients,
        reopen: async () => {
          clients[opened] ??= connect();
          const storage = libsql(clients[opened++]!, { replica, prefix });
          await storage.migrate({ now: 0 });
          return storage;
        },
        dispose: () => worlds.give(world),
      };
    },
    runStatements: async (target, statements) => {
      const { clients } = target as unknown as { clients: Client[] };
      await clients[0]!.batch(
        statements.map(({ sql, params }: Statement) => ({ sql, args: params })),
        "write",
      );
    },
  });
}

const folder = mkdtempSync(join(tmpdir(), "belfry-libsql-"));
const url = inject("sqldUrl");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a file", () => {
  kit("file", () => createClient({ url: `file:${join(folder, "app.db")}`, timeout: 5_000 } as Config), {
    serverClock: false,
  });
});

describe("sqld", () => {
  kit("over HTTP", () => createClient({ url }));

  test("libsql over WebSocket and through the web client fires and claims", async () => {
    const prefix = freshPrefix();
    const clients = [createClient({ url: url.replace("http", "ws") }), createWebClient({ url })];
    for (const client of clients) {
      const storage = libsql(client as Client, { prefix });
      const { to } = await storage.migrate({ now: 0 });
      expect(to).toBeGreaterThan(0);
      const token = `claim-${client.protocol}`;
      const job = { task: "t", queue: "q", priority: 0, expiresAt: null, key: null, input: "1", options: "{}" };
      const none = { schedule: null, scheduledAt: null, parentId: null, limit: null };
      await storage.enqueue({ op: token, now: 5, jobs: [{ id: token, availableAt: 5, ...job, ...none }] });
      const claim = { token, worker: "w", queues: ["q"], tasks: null, limit: 5, now: 6, claimMs: 1_000 };
      const { jobs } = await storage.claim(claim);
      expect(jobs.map(({ id }) => id)).toEqual([token]);
    }
    for (const client of clients) client.close();
  });

  test("libsql without a server says that nobody answered", async () => {
    const client = createClient({ url: "http://127.0.0.1:9" });
    await expect(libsql(client).migrate({ now: 0 })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    client.close();
  });
});

describe("sqld with tokens, and a replica", () => {
  let guarded: SqldEngine;
  let primary: SqldEngine;
  beforeAll(async () => {
    [guarded, primary] = await Promise.all([startSqld({ auth: true }), startSqld({ primary: true })]);
  });
  afterAll(async () => {
    await Promise.all([guarded?.dispose(), primary?.dispose()]);
  });

  kit("with a token", () => createClient({ url: guarded.url, authToken: guarded.token }));

  test("libsql with a wrong token is refused with the remedy", async () => {
    const client = createClient({ url: guarded.url, authToken: "wrong" });
    await expect(libsql(client).migrate({ now: 0 })).rejects.toMatchObject({
      code: "STORAGE_UNUSABLE",
      message: expect.stringContaining("authToken"),
    });
    client.close();
  });

  kit(
    "on an embedded replica",
    () =>
      createClient({
        url: `file:${join(folder, `replica-${replicas++}.db`)}`,
        syncUrl: primary.url,
        timeout: 5_000,
      } as Config),
    { replica: true, direct: () => createClient({ url: primary.url }) },
  );
});
