/**
 * Does the libSQL adapter fulfil the port? The conformance kit on files, on sqld over HTTP, and with tokens.
 * `libsql_replica.test.ts` tests an embedded replica, `libsql_model.test.ts` compares the adapter with the model.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type Config, createClient } from "@libsql/client";
import { createClient as createWebClient } from "@libsql/client/web";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { libsql } from "../../adapters/libsql.ts";
import { type SqldEngine, startSqld } from "../engines/sqld.ts";
import { freshPrefix, libsqlKit } from "./libsql_kit.ts";

const folder = mkdtempSync(join(tmpdir(), "belfry-libsql-"));
const url = inject("sqldUrl");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a file", () => {
  libsqlKit("file", () => createClient({ url: `file:${join(folder, "app.db")}`, timeout: 5_000 } as Config), {
    serverClock: false,
  });
});

describe("sqld", () => {
  libsqlKit("over HTTP", () => createClient({ url }));

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

  test("libsql without a server ends with STORAGE_UNAVAILABLE", async () => {
    const client = createClient({ url: "http://127.0.0.1:9" });
    await expect(libsql(client).migrate({ now: 0 })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    client.close();
  });
});

describe("sqld with tokens", () => {
  let guarded: SqldEngine;
  beforeAll(async () => {
    guarded = await startSqld({ auth: true });
  });
  afterAll(() => guarded?.dispose());

  libsqlKit("with a token", () => createClient({ url: guarded.url, authToken: guarded.token }));

  test("libsql with a wrong token is refused with the remedy", async () => {
    const client = createClient({ url: guarded.url, authToken: "wrong" });
    await expect(libsql(client).migrate({ now: 0 })).rejects.toMatchObject({
      code: "STORAGE_UNUSABLE",
      message: expect.stringContaining("authToken"),
    });
    client.close();
  });
});
