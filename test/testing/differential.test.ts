/** Does the differential runner find differences, and none where there are none? */
import { expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import type { Storage } from "../../src/storage/port.ts";
import { storageDifferential } from "../../src/testing/conformance/mod.ts";

test("two memory storages mean the same, and every method is asked", async () => {
  const report = await storageDifferential({ model: memory(), subject: memory(), seed: 7, operations: 3000 });
  expect(Object.keys(report.calls).sort()).toEqual(
    "beginTick cancel claim enqueue fire getJob listJobs listOccurrences listSchedules purge putQueues putSchedules renew resign retry save signal stats".split(
      " ",
    ),
  );
  expect(report.again).toBeGreaterThan(100);
  expect(report.rows).toBeGreaterThan(100);
});

/** Storages with one fault each. */
const faults: Record<string, (storage: Storage) => Partial<Storage>> = {
  "a claim that skips priority": (storage) => ({
    claim: async (request) => {
      const reply = await storage.claim(request);
      return { ...reply, jobs: [...reply.jobs].reverse() };
    },
  }),
  "a save that takes lost claims for its own": (storage) => ({
    save: async (request) => {
      const reply = await storage.save(request);
      return { ...reply, saved: request.writes.map(({ id }) => ({ id, state: "running", arrivals: 0 })) };
    },
  }),
  "a signal that is not stored": (storage) => ({
    signal: async ({ signals, now }) => {
      const reply = await storage.signal({ now, signals: signals.slice(1) });
      return { ...reply, outcomes: ["accepted", ...reply.outcomes] };
    },
  }),
  "a lease that never runs out": (storage) => ({
    beginTick: (request) => storage.beginTick({ ...request, ttlMs: 1e12 }),
  }),
};

for (const [name, fault] of Object.entries(faults)) {
  test(`a difference is found and can be played again: ${name}`, async () => {
    const run = async (): Promise<string> => {
      const storage = memory();
      const subject: Storage = { ...storage, ...fault(storage), name: "faulty" };
      return storageDifferential({ model: memory(), subject, seed: 3, operations: 2000 }).then(
        () => "no difference",
        (error: Error) => error.message,
      );
    };
    const message = await run();
    expect(message).toContain("faulty differs from memory at");
    expect(message).toContain("seed 3, call ");
    expect(await run()).toBe(message);
  });
}
