/** Do the promises hold in simulated worlds, and does the simulator detect broken ones? */
import { describe, expect, test } from "vitest";
import type { Storage } from "../../src/storage/port.ts";
import { type MakeWorldStorage, runWorld, shrinkWorld } from "./simulator/mod.ts";
import { sqliteWorldStorage } from "./sqlite_world_storage.ts";

/** All kinds of faults; `overtaken`: a request was really overtaken. */
const FAULTS = [
  ...["crash", "pause", "suspend", "clock jump", "clock drift", "outage"],
  ...["request lost", "reply lost", "duplicate", "delay", "reorder", "overtaken", "stale write"],
  ...["wakes lost", "wake late", "wake again"],
];
/** The long run is `npm run simulate`; here are enough worlds to catch what is broken plainly. */
const WORLDS = 12;
const WORLDS_ON_SQLITE = 4;

describe("a simulated world", () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    test(`seed ${seed} violates no promise and quiesces`, async () => {
      const report = await runWorld({ seed, steps: 1200 });
      expect(report.violation).toBeNull();
      expect(report.requests).toBeGreaterThan(50);
    });
  }

  test("every kind of fault is injected, and most moves of schedules can be checked", async () => {
    const injected = new Set<string>();
    let [covered, occurrences] = [0, 0];
    for (let seed = 1; seed <= 20; seed++) {
      const report = await runWorld({ seed, steps: 1200 });
      for (const kind of Object.keys(report.injected)) injected.add(kind);
      covered += report.covered;
      occurrences += report.occurrences;
    }
    expect([...injected].sort()).toEqual([...FAULTS].sort());
    expect(covered).toBeGreaterThan(occurrences / 2);
  });

  test("the same seed gives the same run, step by step", async () => {
    const [first, second] = [await runWorld({ seed: 77, steps: 800 }), await runWorld({ seed: 77, steps: 800 })];
    expect(second).toEqual(first);
    expect((await runWorld({ seed: 78, steps: 800 })).trace).not.toBe(first.trace);
  });
});

describe("a simulated world on SQLite", () => {
  const storage = (): Promise<MakeWorldStorage> => sqliteWorldStorage();
  for (let seed = 1; seed <= WORLDS_ON_SQLITE; seed++) {
    test(`seed ${seed} violates no promise and quiesces`, async () => {
      const report = await runWorld({ seed, steps: 1200, storage });
      expect(report.violation).toBeNull();
      expect(report.requests).toBeGreaterThan(50);
    });
  }

  test("the same seed gives the same run, step by step", async () => {
    const first = await runWorld({ seed: 77, steps: 800, storage });
    expect(await runWorld({ seed: 77, steps: 800, storage })).toEqual(first);
    expect(first.jobs).toBeGreaterThan(5);
    expect(first.occurrences).toBeGreaterThan(0);
  });

  test("a corrupted row is detected through the triggers", async () => {
    // Changes a job behind the port, in the batch that completes it.
    const broken = (): Promise<MakeWorldStorage> =>
      sqliteWorldStorage(`CREATE TEMP TRIGGER corrupted AFTER UPDATE ON main.belfry_jobs
        WHEN NEW.state = 'completed' AND OLD.state = 'running'
        BEGIN UPDATE belfry_jobs SET result = '[]' WHERE id = NEW.id; END`);
    let found: string | null = null;
    for (let seed = 1; seed <= 5 && found === null; seed++) {
      found = (await runWorld({ seed, steps: 800, storage: broken })).violation;
    }
    expect(found).toContain("changed after its end");
  });
});

/** Storages with one guard removed: the oracle must detect what the guard prevents. */
const broken: Record<string, { seeds: number; without: (storage: Storage) => Partial<Storage> }> = {
  "a lease that is granted to every holder that asks": {
    seeds: 10,
    without: (storage) => ({
      beginTick: async (request) => {
        const reply = await storage.beginTick(request);
        if (reply.leads) return reply;
        return { ...reply, leads: true, lease: { ...reply.lease!, holder: request.holder } };
      },
    }),
  },
  "a fire that checks no lease": {
    seeds: 150,
    without: (storage) => ({ fire: (request) => storage.fire({ ...request, lease: null }).then((reply) => reply) }),
  },
  "a fire that leaves an occurrence out": {
    seeds: 20,
    without: (storage) => ({
      fire: (request) =>
        storage.fire({
          ...request,
          firings: request.firings.map((firing) => ({
            ...firing,
            jobs: firing.jobs.slice(1),
            occurrences: firing.occurrences.slice(1),
          })),
        }),
    }),
  },
  "a schedule that begins with its second occurrence": {
    seeds: 10,
    without: (storage) => ({
      putSchedules: (request) =>
        storage.putSchedules({
          ...request,
          puts: request.puts.map(({ record, ...put }) => ({
            ...put,
            record: { ...record, nextAt: record.nextAt === null ? null : record.nextAt + 1000 },
          })),
        }),
    }),
  },
  "a claim that takes jobs over a minute too early": {
    seeds: 20,
    without: (storage) => ({
      claim: (request) => storage.claim({ ...request, now: request.now + 60_000 }),
    }),
  },
  "a claim that forgets the history": {
    seeds: 10,
    without: (storage) => ({
      claim: async (request) => {
        const reply = await storage.claim(request);
        return { ...reply, jobs: reply.jobs.map((job) => ({ ...job, steps: [] })) };
      },
    }),
  },
  "a claim piggybacked on a save that takes jobs over a minute too early": {
    seeds: 30,
    without: (storage) => ({
      save: ({ claim, ...request }) =>
        storage.save(claim ? { ...request, claim: { ...claim, now: claim.now + 60_000 } } : request),
    }),
  },
  "a claim piggybacked on an enqueue that forgets the history": {
    seeds: 200,
    without: (storage) => ({
      enqueue: async (request) => {
        const reply = await storage.enqueue(request);
        const { claimed } = reply;
        if (!claimed) return reply;
        return { ...reply, claimed: { ...claimed, jobs: claimed.jobs.map((job) => ({ ...job, steps: [] })) } };
      },
    }),
  },
  "a claim piggybacked on a save that gets no reply": {
    seeds: 10,
    without: (storage) => ({
      save: async (request) => {
        const { claimed: _, ...reply } = await storage.save(request);
        return reply;
      },
    }),
  },
  "a save that loses the result": {
    seeds: 10,
    without: (storage) => ({
      save: (request) =>
        storage.save({
          ...request,
          writes: request.writes.map((write) =>
            write.transition?.to === "completed" ? { ...write, transition: { to: "completed", result: "[]" } } : write,
          ),
        }),
    }),
  },
};

describe("the oracle detects", () => {
  for (const [what, { seeds, without }] of Object.entries(broken)) {
    test(what, async () => {
      const wrap = (storage: Storage): Storage => ({ ...storage, ...without(storage) });
      let found: string | null = null;
      for (let seed = 1; seed <= seeds && found === null; seed++) {
        found = (await runWorld({ seed, steps: 1000, wrap })).violation;
      }
      expect(found).not.toBeNull();
    });
  }

  test("a failing world is reduced to the faults that it needs, and still fails", async () => {
    const without = broken["a claim that forgets the history"]!.without;
    const wrap = (storage: Storage): Storage => ({ ...storage, ...without(storage) });
    let seed = 1;
    let failed = await runWorld({ seed, steps: 600, wrap });
    while (failed.violation === null) failed = await runWorld({ seed: ++seed, steps: 600, wrap });
    const small = await shrinkWorld(failed, { seed, steps: 600, wrap }, 60);
    expect(small.violation).not.toBeNull();
    expect(small.plan.length + small.actions.length).toBeLessThan(failed.plan.length + failed.actions.length);
    const again = await runWorld({ seed, steps: 600, wrap, plan: small.plan, actions: small.actions });
    expect(again.violation).toBe(small.violation);
  });
});
