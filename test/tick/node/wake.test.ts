/** What one process writes to a SQLite file wakes the loops of another, and what concerns nobody wakes nobody. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { sqlite } from "../../../adapters/sqlite.ts";
import { Belfry } from "../../../src/belfry.ts";
import type { Wake } from "../../../src/storage/port.ts";
import { FakeClock } from "../../../src/testing/fake_clock.ts";

const folder = await mkdtemp(join(tmpdir(), "belfry-wake-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a SQLite file tells of schedules, of a lease that is free and of jobs, and of nothing else", async () => {
  const path = join(folder, "wake.db");
  const clock = new FakeClock();
  const here = new Belfry({ storage: sqlite(path, { clock }), clock });
  const there = new Belfry({ storage: sqlite(path, { clock }), clock });
  await here.engine.open();
  await there.engine.open();
  const woken: Wake[] = [];
  const unlisten = await here.engine.storage.listen!((wake) => void woken.push(wake));
  const heard = async (work: () => unknown): Promise<Wake[]> => {
    woken.length = 0;
    await work();
    await clock.advance(310);
    return [...woken];
  };

  expect(await heard(() => there.schedule("s", "0 * * * *", "work"))).toEqual(["schedules"]);
  expect(await heard(() => there.schedule("s", "0 * * * *", "work"))).toEqual([]);
  expect(await heard(() => there.schedule("later", "0 0 1 * *", "work"))).toEqual([]);
  expect(await heard(() => there.schedule("sooner", "* * * * *", "work"))).toEqual(["schedules"]);
  const foreign = new DatabaseSync(path);
  foreign.exec("CREATE TABLE noise (text TEXT)");
  expect(
    await heard(() => {
      for (let i = 0; i < 500; i++) foreign.exec("INSERT INTO noise VALUES ('unrelated')");
    }),
  ).toEqual([]);
  const lease = { holder: "there", token: null, now: clock.now(), ttlMs: 15_000, maxDue: 10, resignIfIdle: false };
  expect(await heard(() => there.engine.storage.beginTick(lease))).toEqual([]);
  expect(await heard(() => there.engine.storage.beginTick({ ...lease, token: 1 }))).toEqual([]);
  expect(await heard(() => there.engine.storage.resign({ holder: "there", token: 1, now: clock.now() }))).toEqual([
    "schedules",
  ]);
  expect(await heard(() => there.enqueue("work", null))).toEqual(["jobs"]);
  expect(await heard(() => there.enqueue("work", null, { delay: "1h" }))).toEqual(["jobs"]);
  await unlisten();
  expect(await heard(() => there.enqueue("work", null))).toEqual([]);
  expect(clock.timers).toBe(0);
  foreign.close();
  await here.close();
  await there.close();
});
