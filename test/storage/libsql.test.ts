/**
 * Is the libSQL adapter a storage? The kit on files, on sqld over HTTP and WebSocket, with tokens, and on an embedded
 * replica; and word for word against the model.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type Config, createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type LibsqlOptions, libsql } from "../../adapters/libsql.ts";
import { memory } from "../../adapters/memory.ts";
import type { Statement } from "../../src/storage.ts";
import { storageConformance, storageDifferential } from "../../src/testing/mod.ts";
import { type SqldEngine, startSqld } from "../engines/sqld.ts";
import { DIFFERENTIAL_OPERATIONS, LONG } from "./rounds.ts";

let made = 0;

/** Each sixth case: the same server code was asked all of them already. All with BELFRY_LONG. */
let offered = 0;
const sampled = (title: string, run: () => Promise<void>): void => {
  if (LONG || offered++ % 6 === 0) test(title, run);
};

/** Cases on one server keep apart by their table prefix. */
const freshPrefix = (): string => `t${process.pid}_${made++}_`;

/** A server reads its whole schema for each connection: what a case made goes with it. */
async function dropTables(client: Client, prefix: string): Promise<void> {
  const { rows } = await client.execute({
    sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, ?) = ?",
    args: [prefix.length, prefix],
  });
  await client.batch(
    rows.map((row) => `DROP TABLE ${String(row["name"])}`),
    "write",
  );
}

/** Runs the kit on clients of one kind. */
function kit(
  name: string,
  connect: () => Client,
  {
    serverClock = true,
    options = {},
    register = test,
  }: {
    serverClock?: boolean;
    options?: LibsqlOptions;
    register?: (title: string, run: () => Promise<void>) => void;
  } = {},
): void {
  storageConformance({
    name: `libsql ${name}`,
    test: register,
    skip: test.skip,
    manifest: { reopen: true, listen: false, statements: true, durable: true, serverClock },
    open: async () => {
      const prefix = freshPrefix();
      const clients: Client[] = [];
      const open = async () => {
        const client = connect();
        clients.push(client);
        return libsql(client, { ...options, prefix });
      };
      return {
        storage: await open(),
        clients,
        reopen: async () => {
          const storage = await open();
          await storage.migrate({ now: 0 });
          return storage;
        },
        dispose: async () => {
          await dropTables(clients[0]!, prefix);
          for (const client of clients) client.close();
        },
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

  test("libsql answers as the model does", { timeout: 240_000 }, async () => {
    const client = createClient({ url });
    const subject = libsql(client, { prefix: freshPrefix() });
    await storageDifferential({ model: memory(), subject, seed: 4, operations: DIFFERENTIAL_OPERATIONS / 4 });
    client.close();
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

  kit("with a token", () => createClient({ url: guarded.url, authToken: guarded.token }), { register: sampled });

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
        url: `file:${join(folder, `replica-${made}.db`)}`,
        syncUrl: primary.url,
        timeout: 5_000,
      } as Config),
    { options: { replica: true }, register: sampled },
  );
});
