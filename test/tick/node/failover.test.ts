/**
 * Real processes on one storage, and what becomes of schedules when the leader is killed, stopped or frozen.
 *
 * A few rounds by default; `BELFRY_LONG=1` runs 50 on a SQLite file, 20 on sqld and Postgres, and prints the figures.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Belfry } from "../../../src/belfry.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { RETRY_ONCE } from "../../engines/retry.ts";
import { kill, leaderOf, outcomes, pause, startTicker, type TickerProcess, until } from "./processes.ts";
import { startServer } from "./servers.ts";
import { openStorage } from "./storages.ts";

const LONG = process.env["BELFRY_LONG"] === "1";
const TTL_MS = 1_500;
const TICKERS = 4;

interface Fleet {
  storage: Storage;
  tickers: TickerProcess[];
  spec: string;
}

const cleanups: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
}, 60_000);

async function fleet(kind: string): Promise<Fleet> {
  let spec: string;
  if (kind === "sqlite") {
    const folder = await mkdtemp(join(tmpdir(), "belfry-failover-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    spec = `sqlite:${join(folder, "belfry.db")}`;
  } else {
    const server = await startServer(kind);
    cleanups.push(() => server.stop());
    spec = server.spec;
  }
  const storage = await openStorage(spec);
  const belfry = new Belfry({ storage });
  await belfry.schedule("s", "@every 1s", "work");
  const tickers = await Promise.all(Array.from({ length: TICKERS }, () => startTicker(spec, TTL_MS)));
  cleanups.push(() => storage.close());
  cleanups.push(() => Promise.all(tickers.map((ticker) => kill(ticker))));
  return { storage, tickers, spec };
}

/** Does something to the leader and measures how long after it (or after its instant) the next occurrence fires. */
async function round(
  { storage, tickers, spec }: Fleet,
  fell: (leader: TickerProcess) => Promise<void>,
): Promise<{ lateMs: number }> {
  const leader = await leaderOf(storage, tickers);
  const before = (await outcomes(storage, "s")).at(-1)?.at ?? 0;
  await until(
    "an occurrence under this leader",
    60_000,
    async () => ((await outcomes(storage, "s")).at(-1)?.at ?? 0) > before,
  );
  const at = Date.now();
  await fell(leader);
  const next = await until("the next occurrence", 60_000, async () => {
    const rows = await storage.listOccurrences({ schedule: "s", from: at, limit: 10 });
    return rows.find((row) => row.recordedAt >= at);
  });
  const gone = leader.child.exitCode !== null || leader.child.signalCode !== null;
  if (gone) tickers[tickers.indexOf(leader)] = await startTicker(spec, TTL_MS);
  return { lateMs: next.recordedAt - Math.max(next.at, at) };
}

/**
 * Every second since the first has exactly one outcome and one job.
 *
 * All tickers are stopped first, as outcomes and jobs are read one after the other; before that two more occurrences fire,
 * so that a leader that was frozen has had the time to do harm.
 */
async function expectExactlyOnce({ storage, tickers }: Fleet): Promise<void> {
  const before = (await outcomes(storage, "s")).length;
  await until("two more occurrences", 60_000, async () => (await outcomes(storage, "s")).length >= before + 2);
  await Promise.all(tickers.map((ticker) => kill(ticker, "SIGTERM")));
  const rows = await outcomes(storage, "s");
  const first = rows[0]!.at;
  expect(rows.map((row) => row.at)).toEqual(rows.map((_, i) => first + i * 1_000));
  const jobs = await storage.listJobs({ schedule: "s", limit: 1_000_000 });
  expect(jobs.map((job) => job.scheduledAt).reverse()).toEqual(rows.map((row) => row.at));
}

const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;

/** `BELFRY_ROUNDS=3` asks for another number of long rounds. */
const ROUNDS = Number(process.env["BELFRY_ROUNDS"] ?? 0);
const KINDS: [kind: string, rounds: number][] = LONG
  ? [
      ["sqlite", ROUNDS || 50],
      ["sqld", ROUNDS || 20],
      ["postgres", ROUNDS || 20],
    ]
  : [["sqlite", 2]];

describe.each(KINDS)("failover on %s", RETRY_ONCE, (kind, rounds) => {
  const timeout = 120_000 + rounds * 3 * 15_000;

  test(
    "a leader that is killed, stopped or frozen: the next occurrence fires in time, each exactly once",
    async () => {
      const all = await fleet(kind);
      const late: Record<string, number[]> = { killed: [], stopped: [], frozen: [] };
      for (let i = 0; i < rounds; i++) {
        late["killed"]!.push((await round(all, (leader) => kill(leader))).lateMs);
        late["stopped"]!.push((await round(all, (leader) => kill(leader, "SIGTERM"))).lateMs);
        late["frozen"]!.push(
          (
            await round(all, async ({ child }) => {
              child.kill("SIGSTOP");
              await pause(3 * TTL_MS);
              child.kill("SIGCONT");
            })
          ).lateMs,
        );
      }
      await expectExactlyOnce(all);
      for (const [how, list] of Object.entries(late)) {
        if (LONG)
          console.log(
            `${kind}, ${rounds} rounds, ${how}: late by ${median(list)} ms (median), ${Math.max(...list)} ms at most`,
          );
      }
      expect(Math.max(...late["killed"]!)).toBeLessThanOrEqual(TTL_MS + 1_000);
      expect(Math.max(...late["frozen"]!)).toBeLessThanOrEqual(TTL_MS + 1_000);
      expect(Math.max(...late["stopped"]!)).toBeLessThanOrEqual(250);
    },
    timeout,
  );
});

describe.runIf(LONG).each(["sqld", "postgres"])("clocks on %s that are off by ten minutes both ways", (kind) => {
  test("nothing fires early, the lease does not flap, and the skew is reported", async () => {
    const server = await startServer(kind);
    cleanups.push(() => server.stop());
    const storage = await openStorage(server.spec);
    cleanups.push(() => storage.close());
    await new Belfry({ storage }).schedule("s", "@every 1s", "work");
    const tickers = await Promise.all([600_000, 0, -600_000].map((off) => startTicker(server.spec, TTL_MS, off)));
    cleanups.push(() => Promise.all(tickers.map((ticker) => kill(ticker))));
    await leaderOf(storage, tickers);
    const from = Date.now();
    const tokens = new Set<number>();
    while (Date.now() < from + 20_000) {
      await pause(100);
      const { lease } = await storage.stats({ now: Date.now() });
      if (lease) tokens.add(lease.token);
      const [newest] = await storage.listOccurrences({ schedule: "s", newestFirst: true, limit: 1 });
      // By the clock of this machine, which is the server's.
      expect(newest!.at).toBeLessThan(Date.now() + 1_000);
    }
    const rows = (await outcomes(storage, "s")).filter((row) => row.at > from);
    expect(rows.length).toBeGreaterThan(15);
    for (const row of rows) expect(Math.abs(row.recordedAt - row.at)).toBeLessThan(1_000);
    expect(tokens.size).toBe(1);
    for (const [i, { errors }] of tickers.entries()) expect(/clock is \d+ ms/.test(errors.join(""))).toBe(i !== 1);
    const jobs = await storage.listJobs({ schedule: "s", limit: 10_000 });
    expect(jobs.length).toBe(new Set(jobs.map((job) => job.scheduledAt)).size);
  }, 120_000);
});
