/** Each fault of honker's scheduler that PEERS.md lists (seen by running honker 0.5.1), and that it is none of ours. */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { checkHealth } from "../../src/schedule/health.ts";
import type { Storage, Wake } from "../../src/storage/port.ts";
import { bench, HOUR, MINUTE, SECOND, START } from "./kit.ts";

describe("honker's faults", () => {
  test("1: registering again recomputes the next occurrence, so restarts never catch up and @every 1h never fires", async () => {
    const b = bench();
    for (let restart = 0; restart < 10; restart++) {
      expect(await b.add("hourly", "@every 1h")).toMatchObject({ status: restart === 0 ? "created" : "unchanged" });
      await b.add("daily", "30 0 * * *");
      await b.clock.advance(25 * MINUTE);
    }
    await b.scheduler.tick({ oneShot: true });
    expect(await b.log("hourly")).toEqual(["01:00 fired", "02:00 fired", "03:00 fired", "04:00 fired"]);
    expect(await b.log("daily")).toEqual(["00:30 fired"]);
  });

  test("2: catch-up fires the oldest 64 and silently drops the rest", async () => {
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

  test("3: expiry counts from enqueueing, so stale occurrences come back fresh", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { expiresIn: "90m" });
    await b.clock.advance(4 * HOUR + 10 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.log("s")).toEqual(["01:00..02:00 2 expired", "03:00 fired", "04:00 fired"]);
    expect((await b.jobs("s")).map((job) => job.expiresAt! - job.scheduledAt!)).toEqual([90 * MINUTE, 90 * MINUTE]);
    // And what waits in the queue too long is not claimed after it.
    await b.clock.advance(30 * MINUTE);
    await b.finish("s");
    expect((await b.jobs("s")).map((job) => job.state).reverse()).toEqual(["expired", "completed"]);
  });

  test("4: jobs do not know their occurrence", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    await b.clock.advance(HOUR + 17 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.jobs("s")).toMatchObject([{ schedule: "s", scheduledAt: START + HOUR }]);
  });

  test("5: one unreadable expression stops every schedule", async () => {
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

  test("6: a clock that jumped ahead and was corrected silences schedules until then, and what lay between is lost", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(MINUTE);
    await b.scheduler.tick({ oneShot: true });
    b.clock.jump(HOUR);
    await b.scheduler.tick({ oneShot: true });
    b.clock.jump(-HOUR);
    // The hour's occurrences have fired, early; none of them is lost, none fires again, and the next real one fires.
    expect((await b.log("s")).length).toBe(61);
    // And that the schedule is silent for the hour is not silent: health names it, and how long.
    expect((await checkHealth(b.engine, { deep: true })).problems).toMatchObject([
      { code: "ahead", schedule: "s", message: expect.stringContaining("up to 1h from now") },
    ]);
    for (let minute = 0; minute < 70; minute++) {
      await b.clock.advance(MINUTE);
      await b.scheduler.tick({ oneShot: true });
    }
    expect((await b.jobs("s")).map((job) => job.scheduledAt).reverse()).toEqual(
      Array.from({ length: 71 }, (_, i) => START + (i + 1) * MINUTE),
    );
  });

  test("6: a lease that was taken while the clock was an hour ahead does not hold anybody off", async () => {
    const storage = memory();
    const dead = bench({ storage, holder: "dead" });
    const b = bench({ storage, holder: "b", clock: dead.clock });
    await dead.add("s", "* * * * *");
    dead.clock.jump(2 * HOUR);
    await dead.scheduler.tick();
    dead.clock.jump(-2 * HOUR);
    // Its holder is gone; by the clock the lease lasts two hours more.
    const stop = new AbortController();
    const running = b.scheduler.run(stop.signal);
    await b.clock.advance(2 * MINUTE);
    expect(b.scheduler.leads).toBe(true);
    stop.abort();
    await running;
    // Nor a tick that knows nothing of what came before.
    dead.clock.jump(2 * HOUR);
    await dead.scheduler.tick();
    dead.clock.jump(-2 * HOUR);
    const other = bench({ storage, holder: "other", clock: dead.clock });
    expect(await other.scheduler.tick({ oneShot: true })).toMatchObject({ leader: true });
  });

  test("7: resuming after a pause bursts", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(10 * HOUR);
    await resumeSchedule(b.engine, "s");
    expect(await b.scheduler.tick({ oneShot: true })).toMatchObject({ fired: 0, nextAt: START + 10 * HOUR + MINUTE });
    expect(await b.log("s")).toEqual(["00:01..10:00 600 paused"]);
  });

  test("8: a standby fires 59.7 s after the leader was killed", async () => {
    const storage = memory();
    const a = bench({ storage, holder: "a" });
    const b = bench({ storage, holder: "b", clock: a.clock });
    await a.add("s", "@every 1s");
    const [stopA, stopB] = [new AbortController(), new AbortController()];
    const dead = a.scheduler.run(stopA.signal);
    await a.clock.advance(10 * SECOND);
    const standby = b.scheduler.run(stopB.signal);
    await a.clock.advance(10 * SECOND);
    expect([a.scheduler.leads, b.scheduler.leads]).toEqual([true, false]);
    // Killed: it neither ticks nor resigns any more.
    const killedAt = a.clock.now();
    Object.assign(a.scheduler, { tick: () => new Promise(() => {}) });
    await a.clock.advance(16 * SECOND);
    expect(b.scheduler.leads).toBe(true);
    const rows = await storage.listOccurrences({ schedule: "s", limit: 1_000 });
    const late = rows.filter((row) => row.at > killedAt).map((row) => row.recordedAt - row.at);
    expect(Math.max(...late)).toBeLessThanOrEqual(16 * SECOND);
    expect(rows.map((row) => row.at)).toEqual(rows.map((_, i) => START + (i + 1) * SECOND));
    stopB.abort();
    await standby;
    stopA.abort();
    void dead;
  });

  test("9: without fencing, four processes make 474 jobs of 200 occurrences", async () => {
    const storage = memory();
    const first = bench({ storage, holder: "p0" });
    const processes = [
      first,
      ...["p1", "p2", "p3"].map((holder) => bench({ storage: slow(storage), holder, clock: first.clock })),
    ];
    await first.add("s", "* * * * *");
    // All of them believe in turn that the lease has run out while the others are between reading and firing.
    for (let minute = 1; minute <= 200; minute++) {
      await first.clock.advance(MINUTE);
      await Promise.all(processes.map(({ scheduler }) => scheduler.tick({ maxJobs: 3 })));
    }
    const at = (await first.jobs("s")).map((job) => job.scheduledAt).reverse();
    expect(at).toEqual(Array.from({ length: 200 }, (_, i) => START + (i + 1) * MINUTE));
  });

  test("10: the leader ticks on every commit of the file", async () => {
    const storage = memory();
    let push: (wake: Wake) => void = () => {};
    const listening = Object.assign(Object.create(storage), {
      listen: (onWake: (wake: Wake) => void) => {
        push = onWake;
        return Promise.resolve(() => Promise.resolve());
      },
    }) as Storage;
    const b = bench({ storage: bound(listening, storage) });
    await b.add("s", "0 * * * *");
    const stop = new AbortController();
    const running = b.scheduler.run(stop.signal);
    await b.clock.settle();
    b.calls.length = 0;
    for (let i = 0; i < 500; i++) {
      push(i % 2 === 0 ? "jobs" : "any");
      await b.clock.advance(2);
    }
    expect(b.calls).toEqual([]);
    push("schedules");
    await b.clock.advance(10);
    expect(b.calls).toEqual(["beginTick"]);
    stop.abort();
    await running;
  });
});

/** Methods of a storage with some of them replaced. */
function bound(over: Storage, storage: Storage): Storage {
  return new Proxy(over, {
    get(target, key) {
      const own = Object.hasOwn(target, key);
      const value: unknown = Reflect.get(own ? target : storage, key);
      return typeof value === "function" ? value.bind(own ? target : storage) : value;
    },
  });
}

/** A storage whose fires arrive late, after others have had time to act. */
function slow(storage: Storage): Storage {
  const late = Object.assign(Object.create(storage), {
    fire: async (request: Parameters<Storage["fire"]>[0]) => {
      for (let i = 0; i < 5; i++) await Promise.resolve();
      return await storage.fire(request);
    },
  }) as Storage;
  return bound(late, storage);
}
