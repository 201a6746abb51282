/**
 * Three engines on one storage that loses requests and replies, with clocks that jump, frozen leaders, restarts, edits and
 * pauses in any order: each occurrence still has exactly one outcome, and each that fired exactly one job. Some seeds;
 * `BELFRY_LONG=1` runs 2,000.
 */
import { expect, test } from "vitest";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { Timing } from "../../src/schedule/timing.ts";
import type { Storage } from "../../src/storage/port.ts";
import { type Random, seededRandom } from "../../src/testing/random.ts";
import { type Bench, bench, MINUTE, SECOND, START } from "./kit.ts";

const SCHEDULES = { a: "*/2 * * * *", b: "@every 45s", c: "* * * * *" } as const;

/** A storage whose writes fail before or after they happen, and take their time. */
function unreliable(storage: Storage, random: Random, faults: { on: boolean }): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function" || key === "listen") return value;
      return async (...args: unknown[]) => {
        const fate = faults.on ? random.next() : 1;
        for (let turns = random.below(4); turns > 0 && faults.on; turns--) await Promise.resolve();
        if (fate < 0.08) throw new Error("the request was lost");
        const reply = await (value as (...args: unknown[]) => Promise<unknown>).apply(target, args);
        if (fate < 0.16) throw new Error("the reply was lost");
        return reply;
      };
    },
  });
}

async function run(seed: number, plain: Storage): Promise<void> {
  const random = seededRandom(seed);
  const faults = { on: false };
  const first = bench({ storage: unreliable(plain, random.fork(), faults), holder: "h0" });
  const { clock } = first;
  let hosts: Bench[] = [
    first,
    ...[1, 2].map((i) => bench({ storage: unreliable(plain, random.fork(), faults), holder: `h${i}`, clock })),
  ];
  const options = random.chance(0.5) ? { overlap: "skip" as const } : { catchUp: "latest" as const };
  for (const [name, expression] of Object.entries(SCHEDULES))
    await first.add(name, expression, name === "c" ? options : {});
  faults.on = true;
  let started = 3;
  for (let step = 0; step < 150; step++) {
    const host = random.pick(hosts);
    const quiet = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);
    switch (random.below(8)) {
      case 0:
      case 1:
        await clock.advance(random.below(3 * MINUTE));
        break;
      case 2:
        // Everybody at once.
        await Promise.all(hosts.map(({ scheduler }) => quiet(scheduler.tick({ oneShot: random.chance(0.5) }))));
        break;
      case 3:
        clock.jump(random.pick([-1, 1]) * random.below(5 * MINUTE));
        break;
      case 4:
        // A process dies with whatever it held, and another starts.
        hosts = hosts.map((other) =>
          other === host
            ? bench({ storage: unreliable(plain, random.fork(), faults), holder: `h${started++}`, clock })
            : other,
        );
        break;
      case 5:
        await quiet(
          random.chance(0.5)
            ? pauseSchedule(host.engine, "a")
            : resumeSchedule(host.engine, "a", { missed: random.chance(0.5) ? "fire" : "skip" }),
        );
        break;
      case 6:
        await quiet(host.add("b", SCHEDULES.b, { priority: random.below(3) }));
        break;
      default:
        await quiet(host.scheduler.tick({ oneShot: random.chance(0.7), maxJobs: 1 + random.below(10) }));
    }
    if (random.chance(0.2)) await quiet(host.finish("c"));
  }
  faults.on = false;
  clock.jump(20 * MINUTE);
  await clock.advance(20 * SECOND);
  const last = bench({ storage: plain, holder: "last", clock });
  for (let more = true; more; ) ({ more } = await last.scheduler.tick({ oneShot: true }));

  for (const [name, expression] of Object.entries(SCHEDULES)) {
    const rows = await plain.listOccurrences({ schedule: name, limit: 100_000 });
    const timing = new Timing(
      { expression, timeZone: "UTC", days: "or", dst: "once", startAt: null, endAt: null },
      START,
      undefined,
    );
    let expected = timing.next(START);
    for (const row of rows) {
      expect(row.at, `seed ${seed}, ${name}`).toBe(expected);
      expect(timing.count(row.at, row.untilAt, 1e6).count, `seed ${seed}, ${name}`).toBe(row.count);
      expected = timing.next(row.untilAt);
    }
    const [record] = await plain.listSchedules({ names: [name], limit: 1 });
    expect(record!.nextAt, `seed ${seed}, ${name}`).toBe(expected);
    expect(record!.fired, `seed ${seed}, ${name}`).toBe(rows.filter((row) => row.jobId !== null).length);
    const jobs = await plain.listJobs({ schedule: name, limit: 100_000 });
    const made = jobs.map(({ id, scheduledAt }) => `${id} ${scheduledAt}`).sort();
    expect(made, `seed ${seed}, ${name}`).toEqual(
      rows
        .filter((row) => row.jobId !== null)
        .map((row) => `${row.jobId} ${row.at}`)
        .sort(),
    );
  }
}

const LONG =
  (globalThis as { process?: { env: Record<string, string | undefined> } }).process?.env["BELFRY_LONG"] === "1";

/** Declares the test. @param open makes an empty storage, with small batches where it can @param seeds how many by default */
export function chaosSuite(name: string, open: () => Storage, seeds: number): void {
  test(`${name}: each occurrence becomes exactly one outcome, whatever happens between`, async () => {
    for (let seed = 1; seed <= (LONG ? 2_000 : seeds); seed++) await run(seed, open());
  }, 900_000);
}
