import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { bench, DAY, HOUR, MINUTE, SECOND, START } from "../schedule/kit.ts";

describe("tick()", () => {
  test("fires what is due, and is one call when nothing is and two when something is", async () => {
    const { add, scheduler, clock, calls, log, jobs } = bench();
    await add("hourly", "0 * * * *");
    calls.length = 0;
    expect(await scheduler.tick({ oneShot: true })).toEqual({
      leader: true,
      fired: 0,
      skipped: 0,
      more: false,
      nextAt: START + HOUR,
      jobsAt: null,
      skewMs: 0,
    });
    expect(calls).toEqual(["beginTick"]);
    await clock.advance(HOUR);
    calls.length = 0;
    const report = await scheduler.tick({ oneShot: true });
    expect(report).toMatchObject({
      leader: true,
      fired: 1,
      more: false,
      nextAt: START + 2 * HOUR,
      jobsAt: START + HOUR,
    });
    expect(calls).toEqual(["beginTick", "fire"]);
    expect(await log("hourly")).toEqual(["01:00 fired"]);
    expect(await jobs("hourly")).toMatchObject([
      { task: "work", scheduledAt: START + HOUR, availableAt: START + HOUR },
    ]);
  });

  test("releases the lease at the end of a one-shot tick, so that the next host can lead at once", async () => {
    const storage = memory();
    const a = bench({ storage, holder: "a" });
    const b = bench({ storage, holder: "b", clock: a.clock });
    await a.add("minutely", "* * * * *");
    for (const tick of [a, b, a, b]) {
      await a.clock.advance(MINUTE);
      expect(await tick.scheduler.tick({ oneShot: true })).toMatchObject({ leader: true, fired: 1 });
      expect(await tick.scheduler.tick({ oneShot: true })).toMatchObject({ leader: true, fired: 0 });
    }
    expect((await storage.stats({ now: a.clock.now() })).lease).toBeNull();
  });

  test("does nothing while another process holds the lease, and answers when to tick again", async () => {
    const storage = memory();
    const a = bench({ storage, holder: "a" });
    const b = bench({ storage, holder: "b", clock: a.clock });
    await a.add("minutely", "* * * * *");
    await a.scheduler.tick();
    await a.clock.advance(MINUTE / 6);
    expect(await b.scheduler.tick()).toMatchObject({ leader: false, fired: 0, more: false, nextAt: START + MINUTE });
    expect(b.scheduler.lease.seen).toMatchObject({ holder: "a", expiresAt: START + 15 * SECOND });
  });

  test("is bounded by maxJobs, says that more is due, and goes on in order", async () => {
    const { add, scheduler, clock, log, jobs } = bench();
    await add("secondly", "@every 1s");
    await clock.advance(25 * SECOND);
    expect(await scheduler.tick({ oneShot: true, maxJobs: 10 })).toMatchObject({ fired: 10, more: true });
    expect(await scheduler.tick({ oneShot: true, maxJobs: 10 })).toMatchObject({ fired: 10, more: true });
    expect(await scheduler.tick({ oneShot: true, maxJobs: 10 })).toMatchObject({ fired: 5, more: false });
    expect((await log("secondly")).length).toBe(25);
    const at = (await jobs("secondly")).map((job) => job.scheduledAt).reverse();
    expect(at).toEqual(Array.from({ length: 25 }, (_, i) => START + (i + 1) * SECOND));
  });

  test("decides one occurrence of every due schedule before one with a huge backlog goes on", async () => {
    const { add, scheduler, clock, log } = bench();
    await add("backlog", "@every 1s");
    await clock.advance(HOUR);
    for (const name of ["a", "b", "c"]) await add(name, "* * * * *");
    await clock.advance(MINUTE);
    expect(await scheduler.tick({ oneShot: true, maxJobs: 10 })).toMatchObject({ fired: 10, more: true });
    for (const name of ["a", "b", "c"]) expect(await log(name)).toEqual(["01:01 fired"]);
    expect((await log("backlog")).length).toBe(7);
  });

  test("begins no pass after its deadline", async () => {
    const { add, scheduler, clock } = bench({ storage: memory({ maxBatchRows: 5 }) });
    await add("secondly", "@every 1s");
    await clock.advance(20 * SECOND);
    expect(await scheduler.tick({ oneShot: true, untilMs: clock.monotonic() })).toMatchObject({ fired: 5, more: true });
    expect(await scheduler.tick({ oneShot: true })).toMatchObject({ fired: 15, more: false });
  });

  test("a week of @every 1s missed on 10 schedules is caught up in order, exactly once, in bounded batches", async () => {
    const { add, scheduler, clock, storage } = bench();
    // A tenth of a week each here; the bench runs all of it.
    const missed = Math.floor((7 * DAY) / SECOND / 100);
    for (let i = 0; i < 10; i++) await add(`s${i}`, "@every 1s");
    await clock.advance(missed * SECOND);
    let fired = 0;
    for (let more = true; more; ) {
      const report = await scheduler.tick({ oneShot: true });
      fired += report.fired;
      more = report.more;
    }
    expect(fired).toBe(10 * missed);
    for (let i = 0; i < 10; i++) {
      const rows = await storage.listOccurrences({ schedule: `s${i}`, limit: 1_000_000 });
      expect(rows.map((row) => row.at)).toEqual(Array.from({ length: missed }, (_, k) => START + (k + 1) * SECOND));
    }
  });

  test("a row that cannot be read is marked broken and reported, and the others fire", async () => {
    const { add, scheduler, clock, storage, errors, log } = bench();
    await add("good", "* * * * *");
    await add("bad", "* * * * *");
    const [bad] = await storage.listSchedules({ names: ["bad"], limit: 1 });
    const record = { ...bad!, definition: bad!.definition.replace("* * * * *", "* * * * nonsense") };
    await storage.putSchedules({
      op: "x",
      now: START,
      puts: [{ revision: bad!.revision, record, jobs: [], occurrences: [] }],
      removes: [],
      owner: null,
    });
    await clock.advance(MINUTE);
    expect(await scheduler.tick({ oneShot: true })).toMatchObject({ fired: 1, more: false });
    expect(await log("good")).toEqual(["00:01 fired"]);
    expect(
      (await storage.listSchedules({ state: "broken", limit: 9 })).map(({ name, nextAt }) => ({ name, nextAt })),
    ).toEqual([{ name: "bad", nextAt: START + MINUTE }]);
    expect(errors).toMatchObject([{ during: "planning schedule bad", error: { code: "SCHEDULE_BROKEN" } }]);
    await clock.advance(MINUTE);
    expect(await scheduler.tick({ oneShot: true })).toMatchObject({ fired: 1 });
    expect(errors).toHaveLength(1);
    // Registering it anew makes it active, and what it missed is caught up.
    expect(await add("bad", "* * * * *")).toMatchObject({ status: "updated", nextAt: START + MINUTE });
    expect(await scheduler.tick({ oneShot: true })).toMatchObject({ fired: 2 });
  });

  test("a backlog larger than maxJobs is fired by the ticks that follow, none of it dropped", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(10 * HOUR);
    let fired = 0;
    for (let more = true; more; ) {
      const report = await b.scheduler.tick({ oneShot: true, maxJobs: 64 });
      fired += report.fired;
      more = report.more;
    }
    expect(fired).toBe(600);
    expect(new Set((await b.jobs("s")).map((job) => job.scheduledAt)).size).toBe(600);
  });

  test("an unreadable expression in one row stops no other schedule", async () => {
    const b = bench();
    await b.add("bad", "* * * * *");
    await b.add("good", "* * * * *");
    const [bad] = await b.storage.listSchedules({ names: ["bad"], limit: 1 });
    const record = { ...bad!, definition: '{"expression":"@@@","task":"work"}' };
    const put = { revision: bad!.revision, record, jobs: [], occurrences: [] };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    await b.clock.advance(MINUTE);
    expect(await b.scheduler.tick({ oneShot: true })).toMatchObject({ fired: 1 });
    expect(await b.log("good")).toEqual(["00:01 fired"]);
  });
});
