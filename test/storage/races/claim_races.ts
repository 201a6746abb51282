/** Races for jobs: enqueueing with one key, claiming, and writing with a lost claim. */
import { expect } from "vitest";
import type { StepRecord } from "../../../src/storage/port.ts";
import { CLAIM_MS, claiming, clear, instant, job, queueAt, type Race, saving } from "./rows.ts";

const names = (n: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${n} ${String(i).padStart(2, "0")}`);

function step(jobId: string, output: string, at: number): StepRecord {
  return {
    jobId,
    name: "work",
    kind: "step",
    state: "done",
    seq: 0,
    tries: 1,
    attempt: 1,
    output,
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: at,
    finishedAt: at,
  };
}

const enqueueKey: Race = {
  title: "enqueue: of four jobs with one key one is stored, and all callers get its id",
  async round(competitors, n) {
    const now = instant(n);
    const replies = await Promise.all(
      competitors.map((storage, i) =>
        storage.enqueue({ op: `enqueue ${n} ${i}`, now, jobs: [job(`key ${n} ${i}`, now, { key: `key ${n}` })] }),
      ),
    );
    const results = replies.map(({ jobs }) => jobs[0]!);
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    const stored = await competitors[0]!.listJobs({ key: `key ${n}`, limit: 10 });
    expect(stored.map(({ id }) => id)).toEqual([results[0]!.id]);
    await clear(competitors[0]!, n, [results[0]!.id]);
  },
};

const claim: Race = {
  title: "claim: four workers share the ready jobs, each job once, and no claim is empty while jobs are left",
  async round(competitors, n) {
    const now = instant(n);
    const ids = names(n, 20);
    await competitors[0]!.enqueue({ op: `ready ${n}`, now, jobs: ids.map((id) => job(id, now)) });
    const replies = await Promise.all(
      competitors.map((storage, i) => storage.claim(claiming(`claim ${n} ${i}`, now, { limit: 5 }))),
    );
    for (const [i, { jobs }] of replies.entries()) {
      expect(jobs).toHaveLength(5);
      for (const claimed of jobs)
        expect(claimed).toMatchObject({ attempt: 1, claims: 1, claimToken: `claim ${n} ${i}`, state: "running" });
    }
    const claimed = replies.flatMap(({ jobs }) => jobs.map(({ id }) => id));
    expect(claimed.sort()).toEqual(ids);
    await clear(competitors[0]!, n, ids);
  },
};

const claimRoom: Race = {
  title: "claim: a queue gives no more than its concurrency and its rate allow",
  async round(competitors, n) {
    const now = instant(n);
    for (const queue of [
      { name: "narrow", paused: false, concurrency: 3, rate: null },
      { name: "slow", paused: false, concurrency: null, rate: { count: 3, perMs: 60_000 } },
    ]) {
      const ids = names(n, 8).map((id) => `${queue.name} ${id}`);
      await competitors[0]!.putQueues({ now, queues: [queue] });
      const jobs = ids.map((id) => job(id, now, { queue: queue.name }));
      await competitors[0]!.enqueue({ op: `${queue.name} ${n}`, now, jobs });
      const replies = await Promise.all(
        competitors.map((storage, i) =>
          storage.claim(claiming(`${queue.name} ${n} ${i}`, now, { queues: [queue.name], limit: 2 })),
        ),
      );
      expect(replies.flatMap((reply) => reply.jobs)).toHaveLength(3);
      await clear(competitors[0]!, n, ids);
    }
  },
};

const claimTwice: Race = {
  title: "claim: one token sent twice at once claims once, and both sends get the jobs",
  async round(competitors, n) {
    const now = instant(n);
    const ids = names(n, 8).map((id) => `same ${id}`);
    await competitors[0]!.enqueue({ op: `same ${n}`, now, jobs: ids.map((id) => job(id, now)) });
    const request = claiming(`same ${n}`, now, { limit: 3 });
    const [first, second] = await Promise.all([competitors[0]!.claim(request), competitors[1]!.claim(request)]);
    const claimed = first!.jobs.map(({ id }) => id);
    expect(claimed).toEqual(ids.slice(0, 3));
    expect(second!.jobs.map(({ id }) => id)).toEqual(claimed);
    const running = await competitors[2]!.listJobs({ states: ["running"], queue: queueAt(now), limit: 100 });
    expect(running.map(({ id }) => id).sort()).toEqual(claimed);
    await clear(competitors[0]!, n, ids);
  },
};

const settle: Race = {
  title: "settle against reclaim: the old worker's result or the new worker's claim, never both",
  async round([old, heir, renewer, reader], n) {
    const now = instant(n);
    const id = `settle ${n}`;
    await old!.enqueue({ op: id, now, jobs: [job(id, now)] });
    expect((await old!.claim(claiming(`old ${n}`, now))).jobs).toHaveLength(1);
    const later = now + CLAIM_MS;
    const write = { id, token: `old ${n}`, steps: [step(id, '"old"', later)] };
    const [saved, claimed, renewed] = await Promise.all([
      old!.save(saving(`save ${n}`, later, [{ ...write, transition: { to: "completed", result: '"old"' } }])),
      heir!.claim(claiming(`heir ${n}`, later)),
      renewer!.renew({ now: later, claimMs: CLAIM_MS, claims: [{ id, token: `old ${n}` }] }),
    ]);
    const settled = saved.saved.length;
    expect(settled + claimed.jobs.length).toBe(1);
    const found = (await reader!.getJob({ id }))!;
    if (settled) {
      expect(found).toMatchObject({ state: "completed", result: '"old"', claims: 1 });
      expect(found.steps).toHaveLength(1);
      return;
    }
    expect(renewed.kept).toEqual([]);
    expect(claimed.jobs[0]).toMatchObject({ attempt: 2, claims: 2, steps: [] });
    expect(found).toMatchObject({ state: "running", claimToken: `heir ${n}`, result: null, steps: [] });
    await heir!.save(
      saving(`heir done ${n}`, later, [{ id, token: `heir ${n}`, transition: { to: "completed", result: '"heir"' } }]),
    );
    expect(await reader!.getJob({ id })).toMatchObject({ state: "completed", result: '"heir"' });
  },
};

const renew: Race = {
  title: "renew against reclaim: one of the two workers owns the claim",
  async round([old, heir, reader], n) {
    const now = instant(n);
    const id = `renew ${n}`;
    await old!.enqueue({ op: id, now, jobs: [job(id, now)] });
    await old!.claim(claiming(`keep ${n}`, now));
    const later = now + CLAIM_MS;
    const [renewed, claimed] = await Promise.all([
      old!.renew({ now: later, claimMs: CLAIM_MS, claims: [{ id, token: `keep ${n}` }] }),
      heir!.claim(claiming(`take ${n}`, later)),
    ]);
    expect(renewed.kept.length + claimed.jobs.length).toBe(1);
    const holder = renewed.kept.length > 0 ? `keep ${n}` : `take ${n}`;
    expect(await reader!.getJob({ id })).toMatchObject({ claimToken: holder, claimExpiresAt: later + CLAIM_MS });
    await clear(reader!, n, [id]);
  },
};

const cancelClaimed: Race = {
  title: "cancel against claim and settle: a cancelled job is not claimed, a settled one stays settled",
  async round([worker, canceller, reader], n) {
    const now = instant(n);
    const id = `stop ${n}`;
    await worker!.enqueue({ op: id, now, jobs: [job(id, now)] });
    const token = `stop ${n}`;
    const [saved, cancelled] = await Promise.all([
      worker!.claim(claiming(token, now)).then(async ({ jobs }) => {
        if (jobs.length === 0) return 0;
        const write = { id, token, transition: { to: "completed", result: "1" } as const };
        return (await worker!.save(saving(`${token} done`, now, [write]))).saved.length;
      }),
      canceller!.cancel({ op: `cancel ${n}`, now, ids: [id], error: '"stopped"' }),
    ]);
    expect(saved + cancelled.length).toBe(1);
    const found = await reader!.getJob({ id });
    expect(found).toMatchObject(saved ? { state: "completed", result: "1" } : { state: "cancelled", result: null });
  },
};

const retryOnce: Race = {
  title: "retry: of four calls that put a job back one does",
  async round(competitors, n) {
    const now = instant(n);
    const id = `again ${n}`;
    await competitors[0]!.enqueue({ op: id, now, jobs: [job(id, now)] });
    await competitors[0]!.cancel({ op: `off ${n}`, now, ids: [id], error: "{}" });
    const back = await Promise.all(
      competitors.map((storage, i) =>
        storage.retry({ op: `retry ${n} ${i}`, now, jobs: [{ id, forget: [], notes: null }] }),
      ),
    );
    expect(back.flat()).toEqual([id]);
    await clear(competitors[0]!, n, [id]);
  },
};

/** All of them. */
export const CLAIM_RACES: readonly Race[] = [
  enqueueKey,
  claim,
  claimRoom,
  claimTwice,
  settle,
  renew,
  cancelClaimed,
  retryOnce,
];
