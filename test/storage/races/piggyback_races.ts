/**
 * Races between batches that write and claim at once: a claim piggybacked on a save or an enqueue claims each job once,
 * and in order.
 */
import { expect } from "vitest";
import type { Storage } from "../../../src/storage/port.ts";
import { claiming, clear, instant, job, type Race, saving } from "./rows.ts";

const letters = "abcdefghijkl";

/** Enqueues jobs and claims some, one for each worker. @returns the ids of the claimed jobs */
async function begun(storage: Storage, n: number, ids: string[], queue?: string): Promise<string[]> {
  const now = instant(n);
  const where = queue === undefined ? {} : { queue };
  await storage.enqueue({ op: `in ${ids[0]}`, now, jobs: ids.map((id) => job(id, now, where)) });
  const owned: string[] = [];
  for (let i = 0; i < 3; i++) {
    const asked = queue === undefined ? {} : { queues: [queue] };
    const { jobs } = await storage.claim(claiming(`owned ${ids[0]} ${i}`, now, asked));
    owned.push(...jobs.map(({ id }) => id));
  }
  return owned;
}

const completed = { to: "completed", result: "1" } as const;

const settleAndClaim: Race = {
  title: "piggyback: workers that settle and claim in one batch share the rest of the jobs, one batch being sent twice",
  async round(competitors, n) {
    const now = instant(n);
    const ids = [...letters].slice(0, 9).map((letter) => `piggyback ${n} ${letter}`);
    const owned = await begun(competitors[3]!, n, ids);
    const request = (i: number) => ({
      ...saving(`settle ${n} ${i}`, now, [{ id: owned[i]!, token: `owned ${ids[0]} ${i}`, transition: completed }]),
      claim: claiming(`next ${n} ${i}`, now, { limit: 2 }),
    });
    const replies = await Promise.all([0, 1, 2, 0].map((who, at) => competitors[at]!.save(request(who))));
    for (const [at, { saved, claimed }] of replies.entries()) {
      expect(saved.map(({ state }) => state)).toEqual(["completed"]);
      expect(claimed!.jobs).toHaveLength(2);
      expect(claimed!.jobs[0]).toMatchObject({ claims: 1, claimToken: `next ${n} ${at === 3 ? 0 : at}` });
    }
    const [first, second, third, again] = replies.map((reply) => reply.claimed!.jobs.map(({ id }) => id));
    expect(again!.sort()).toEqual(first!.sort());
    expect([...first!, ...second!, ...third!].sort()).toEqual(ids.slice(3));
    await clear(competitors[0]!, n, ids);
  },
};

const fullQueue: Race = {
  title: "piggyback: a full queue starts as many jobs as end, and an enqueue that claims takes no more",
  async round(competitors, n) {
    const now = instant(n);
    const queue = `piggybacked ${n}`;
    await competitors[3]!.putQueues({ now, queues: [{ name: queue, paused: false, concurrency: 3, rate: null }] });
    const ids = [...letters].slice(0, 9).map((letter) => `full ${n} ${letter}`);
    const owned = await begun(competitors[3]!, n, ids, queue);
    const piggyback = (i: number) => claiming(`more ${n} ${i}`, now, { queues: [queue], limit: 3 });
    const late = { op: `late ${n}`, now, jobs: [job(`full ${n} z`, now, { queue, priority: 9 })], claim: piggyback(3) };
    const replies = await Promise.all([
      ...[0, 1, 2].map((i) => {
        const writes = [{ id: owned[i]!, token: `owned ${ids[0]} ${i}`, transition: completed }];
        return competitors[i]!.save({ ...saving(`settle ${ids[0]} ${i}`, now, writes), claim: piggyback(i) });
      }),
      competitors[3]!.enqueue(late),
    ]);
    const claimed = replies.flatMap((reply) => reply.claimed!.jobs.map(({ id }) => id));
    expect(new Set(claimed).size).toBe(3);
    const running = await competitors[0]!.listJobs({ states: ["running"], queue, limit: 100 });
    expect(running.map(({ id }) => id).sort()).toEqual(claimed.sort());
    await clear(competitors[0]!, n, [...ids, `full ${n} z`]);
  },
};

const limitedQueue: Race = {
  title: "piggyback: ends that admit to a limit against claims that open it, in a limited queue",
  async round(competitors, n) {
    const now = instant(n);
    const queue = `counted ${n}`;
    const limit = { key: `counted ${n}`, concurrency: 4, rate: { count: 3, perMs: 10 } };
    await competitors[3]!.putQueues({ now, queues: [{ name: queue, paused: false, concurrency: 5, rate: null }] });
    const ids = [...letters].map((letter) => `counted ${n} ${letter}`);
    await competitors[3]!.enqueue({ op: `in ${ids[0]}`, now, jobs: ids.map((id) => job(id, now, { queue, limit })) });
    const { jobs } = await competitors[3]!.claim(claiming(`first ${n}`, now, { queues: [queue], limit: 5 }));
    expect(jobs).toHaveLength(3);
    // The window is over: claims open the limit, ends admit jobs to it.
    const later = now + 10;
    const claim = (i: number) => claiming(`then ${n} ${i}`, later, { queues: [queue], limit: 5 });
    const end = (i: number) => {
      const writes = [{ id: jobs[i]!.id, token: `first ${n}`, transition: completed }];
      return { ...saving(`end ${ids[0]} ${i}`, later, writes), claim: claim(i) };
    };
    const replies = await Promise.all([
      competitors[0]!.save(end(0)).then((reply) => reply.claimed!),
      competitors[1]!.save(end(1)).then((reply) => reply.claimed!),
      competitors[2]!.claim(claim(2)),
      competitors[3]!.claim(claim(3)),
    ]);
    const claimed = replies.flatMap((reply) => reply.jobs.map(({ id }) => id));
    expect(new Set(claimed).size).toBe(claimed.length);
    const open = await competitors[0]!.listJobs({ states: ["ready", "running"], queue, limit: 100 });
    const admitted = open.filter(({ held }) => !held).map(({ id }) => id);
    // One of the first three goes on; of the others exactly as many start as the rate allows in the new window.
    expect(admitted).toHaveLength(4);
    expect(claimed.every((id) => admitted.includes(id))).toBe(true);
    await clear(competitors[0]!, n, ids);
  },
};

/** All of them. */
export const PIGGYBACK_RACES: readonly Race[] = [settleAndClaim, fullQueue, limitedQueue];
