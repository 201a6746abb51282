/**
 * Does the Postgres driver work on connections as users have them? With changed settings, lost prepared statements, cut
 * connections, and texts that contain quotes.
 */
import pg from "pg";
import { expect, inject, test } from "vitest";
import { postgres } from "../../adapters/postgres.ts";
import { literal } from "../../src/sql/postgres/literal.ts";
import { newJob, T0 } from "../../src/testing/conformance/rig.ts";
import { freshSchema } from "../engines/databases.ts";
import { Network } from "../storage/faults/network.ts";

const url = inject("postgresUrl");

const NASTY = [
  "it's",
  "\\",
  "\\'; DROP TABLE belfry_jobs; --",
  "'';--",
  "$1 $$ :now",
  "E'\\x41'",
  "line\nbreak\ttab",
  "emoji 🔔 and ümlaut",
  '{"a":"\\u0041\\\\n"}',
];

test.each(["on", "off"])(
  "texts are read back as they were written, with standard_conforming_strings %s",
  async (setting) => {
    const schema = await freshSchema(url);
    const pool = schema.pool({ max: 1 });
    const storage = postgres(pool);
    await storage.migrate({ now: T0 });
    await pool.query(`SET standard_conforming_strings = ${setting}`);
    const jobs = NASTY.map((text, i) =>
      newJob(`j${i}`, {
        queue: text,
        task: text,
        key: text,
        input: JSON.stringify(text),
        options: JSON.stringify({ text }),
      }),
    );
    await storage.enqueue({ op: "it's \\ an op", now: T0, jobs });
    for (const [i, text] of NASTY.entries()) {
      const found = await storage.listJobs({ queue: text, task: text, key: text, limit: 2 });
      expect(found).toMatchObject([{ id: `j${i}`, queue: text, input: JSON.stringify(text) }]);
    }
    const { jobs: claimed } = await storage.claim({
      token: "a '\\' token",
      worker: "\\",
      queues: NASTY,
      tasks: NASTY,
      limit: 99,
      now: T0,
      claimMs: 1000,
    });
    expect(claimed).toHaveLength(NASTY.length);
    await schema.dispose();
  },
);

test("a text with a NUL character is refused before anything is sent", async () => {
  expect(() => literal("a\0b")).toThrow(expect.objectContaining({ code: "PAYLOAD_UNSERIALIZABLE" }));
  const schema = await freshSchema(url);
  const storage = postgres(schema.pool());
  await storage.migrate({ now: T0 });
  await expect(storage.enqueue({ op: "e", now: T0, jobs: [newJob("a", { input: "a\0b" })] })).rejects.toMatchObject({
    code: "PAYLOAD_UNSERIALIZABLE",
  });
  expect(await storage.listJobs({ limit: 1 })).toEqual([]);
  await schema.dispose();
});

test.each([Number.NaN, 0.5, 2 ** 53, Number.POSITIVE_INFINITY])("literal(%d) is refused", (value) => {
  expect(() => literal(value)).toThrow(RangeError);
});

test("statements that the connection has lost are prepared again, and no setting outlives a batch", async () => {
  const schema = await freshSchema(url);
  const pool = schema.pool({ max: 1 });
  const storage = postgres(pool);
  await storage.migrate({ now: T0 });
  for (let round = 0; round < 3; round++) {
    await storage.enqueue({ op: `e${round}`, now: T0, jobs: [newJob(`a${round}`)] });
    expect((await pool.query("SHOW enable_seqscan")).rows).toEqual([{ enable_seqscan: "on" }]);
    expect((await pool.query("SHOW jit")).rows).not.toEqual([{ jit: undefined }]);
    await pool.query("DEALLOCATE ALL");
  }
  expect(await storage.listJobs({ limit: 9 })).toHaveLength(3);
  await schema.dispose();
});

test("a batch whose connection the server cuts is sent again over a new one", async () => {
  const schema = await freshSchema(url);
  const storage = postgres(schema.pool({ max: 2, application_name: `cut-${process.pid}` }));
  await storage.migrate({ now: T0 });
  const admin = schema.pool({ max: 1 });
  for (let round = 0; round < 5; round++) {
    const cut = admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut-${process.pid}'`,
    );
    const enqueued = storage.enqueue({ op: `e${round}`, now: T0, jobs: [newJob(`a${round}`, { key: `k${round}` })] });
    await cut;
    expect((await enqueued).jobs).toEqual([{ id: `a${round}`, created: true }]);
  }
  expect(await storage.listJobs({ limit: 9 })).toHaveLength(5);
  await schema.dispose();
});

// A pool of one connection was lost for good when the network swallowed the packets with which it was being opened.
test("a connection that is being opened when the network is deaf does not keep its place in the pool", async () => {
  const schema = await freshSchema(url);
  const network = await Network.open(schema.url);
  const pool = new pg.Pool({ connectionString: network.url, max: 1 });
  const storage = postgres(pool);
  const stop = new AbortController();
  const deaf = network.play([{ trouble: { kind: "swallow" }, direction: "both", some: false, forMs: 300 }]);
  const stats = storage.stats({ now: T0 }, { signal: stop.signal });
  await deaf;
  stop.abort();
  await expect(stats).rejects.toThrow();
  expect(await storage.migrate({ now: T0 })).toMatchObject({ from: 0 });
  expect(pool.totalCount).toBe(1);
  await pool.end();
  await network.close();
  await schema.dispose();
});
