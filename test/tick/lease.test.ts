/** Leadership that passes between processes: after a kill, after a wrong clock, and while several try at once. */

import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import type { Storage } from "../../src/storage/port.ts";
import { bench, bound, HOUR, MINUTE, SECOND, START } from "../schedule/kit.ts";

describe("a lease", () => {
  test("taken while the clock was hours ahead looks abandoned and is released", async () => {
    const storage = memory();
    const dead = bench({ storage, holder: "dead" });
    const b = bench({ storage, holder: "b", clock: dead.clock });
    await dead.add("s", "* * * * *");
    dead.clock.jump(2 * HOUR);
    await dead.scheduler.tick();
    dead.clock.jump(-2 * HOUR);
    // Its holder is gone; by the corrected clock the lease lasts two hours more.
    const stop = new AbortController();
    const running = b.scheduler.run(stop.signal);
    await b.clock.advance(2 * MINUTE);
    expect(b.scheduler.leads).toBe(true);
    stop.abort();
    await running;
    // A process that has not watched the lease releases it, too: it ends further ahead than any ttl.
    dead.clock.jump(2 * HOUR);
    await dead.scheduler.tick();
    dead.clock.jump(-2 * HOUR);
    const other = bench({ storage, holder: "other", clock: dead.clock });
    expect(await other.scheduler.tick({ oneShot: true })).toMatchObject({ leader: true });
  });

  test("a standby fires within a ttl after the leader was killed, every occurrence once", async () => {
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

  test("four processes whose leases run out in turn make one job of each occurrence", async () => {
    const storage = memory();
    const first = bench({ storage, holder: "p0" });
    const processes = [
      first,
      ...["p1", "p2", "p3"].map((holder) => bench({ storage: slow(storage), holder, clock: first.clock })),
    ];
    await first.add("s", "* * * * *");
    // Each in turn takes the lease while the others are between reading and firing.
    for (let minute = 1; minute <= 200; minute++) {
      await first.clock.advance(MINUTE);
      await Promise.all(processes.map(({ scheduler }) => scheduler.tick({ maxJobs: 3 })));
    }
    const at = (await first.jobs("s")).map((job) => job.scheduledAt).reverse();
    expect(at).toEqual(Array.from({ length: 200 }, (_, i) => START + (i + 1) * MINUTE));
  });
});

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
