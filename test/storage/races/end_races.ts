/**
 * Races between batches that end, signal or cancel jobs and the rows that this affects: waiting jobs, parents,
 * schedules, limits.
 */
import { expect } from "vitest";
import type { NewJob, Storage } from "../../../src/storage/port.ts";
import { claiming, clear, create, instant, job, queueAt, type Race, saving, schedule } from "./rows.ts";

/** Enqueues jobs and claims them all under one token. */
async function running(storage: Storage, n: number, token: string, jobs: NewJob[]): Promise<void> {
  const now = instant(n);
  await storage.enqueue({ op: `run ${token}`, now, jobs });
  const claimed = await storage.claim(claiming(token, now, { limit: jobs.length }));
  expect(claimed.jobs).toHaveLength(jobs.length);
}

const signalSuspend: Race = {
  title: "signal against suspend: a job that waits has seen every signal",
  async round([worker, ...senders], n) {
    const now = instant(n);
    const id = `wait ${n}`;
    const token = `wait ${n}`;
    await running(worker!, n, token, [job(id, now)]);
    const send = (key: string) => ({ now, signals: [{ jobId: id, name: "go", key, payload: "1" }] });
    const [saved, first, again, other] = await Promise.all([
      worker!.save(
        saving(`suspend ${n}`, now, [{ id, token, transition: { to: "waiting", availableAt: null, arrivals: 0 } }]),
      ),
      senders[0]!.signal(send("a")),
      senders[1]!.signal(send("a")),
      senders[2]!.signal(send("b")),
    ]);
    expect([first!.outcomes[0], again!.outcomes[0]].sort()).toEqual(["accepted", "duplicate"]);
    expect(other!.outcomes).toEqual(["accepted"]);
    expect(saved!.saved).toHaveLength(1);
    const found = (await worker!.getJob({ id }))!;
    expect(found).toMatchObject({ state: "ready", availableAt: now, arrivals: 2, claimToken: null });
    expect(found.signals.map(({ seq }) => seq)).toEqual([1, 2]);
    await clear(worker!, n, [id]);
  },
};

const childrenSuspend: Race = {
  title: "children's ends against the parent's suspend: the parent is ready, and has counted each child once",
  async round([worker, one, two, again], n) {
    const now = instant(n);
    const id = `parent ${n}`;
    const children = [`${id} a`, `${id} b`];
    await running(worker!, n, `p ${n}`, [job(id, now)]);
    await running(
      worker!,
      n,
      `c ${n}`,
      children.map((child) => job(child, now, { parentId: id })),
    );
    const end = (storage: Storage, i: number) =>
      storage.save(
        saving(`end ${children[i]}`, now, [
          { id: children[i]!, token: `c ${n}`, transition: { to: "completed", result: "1" } },
        ]),
      );
    const waiting = { to: "waiting", availableAt: null, arrivals: 0 } as const;
    const [saved, first, second, resent] = await Promise.all([
      worker!.save(saving(`suspend ${n}`, now, [{ id, token: `p ${n}`, transition: waiting }])),
      end(one!, 0),
      end(two!, 1),
      // The same write sent twice at once.
      end(again!, 1),
    ]);
    expect(saved!.saved).toHaveLength(1);
    for (const reply of [first, second, resent]) expect(reply!.saved[0]).toMatchObject({ state: "completed" });
    const found = (await worker!.getJob({ id }))!;
    expect(found).toMatchObject({ state: "ready", arrivals: 2 });
    expect(found.children.map((child) => child.id).sort()).toEqual(children);
    await clear(worker!, n, [id]);
  },
};

const failures: Race = {
  title: "failures: four jobs that fail at once count four, one sent twice counts once",
  async round(competitors, n) {
    const now = instant(n);
    const name = `failing ${n}`;
    await create(competitors[0]!, now, schedule(name, instant(10_000_000), { pauseAfterFailures: 3 }));
    const ids = [0, 1, 2].map((i) => `${name} ${i}`);
    await running(
      competitors[0]!,
      n,
      `f ${n}`,
      ids.map((id) => job(id, now, { schedule: name })),
    );
    await Promise.all(
      competitors.map((storage, i) => {
        const id = ids[i % 3]!;
        return storage.save(
          saving(`fail ${id}`, now, [{ id, token: `f ${n}`, transition: { to: "failed", error: "{}" } }]),
        );
      }),
    );
    const [row] = await competitors[0]!.listSchedules({ names: [name], limit: 1 });
    expect(row).toMatchObject({ failures: 3, state: "paused", note: "paused after 3 failed jobs in a row" });
  },
};

const limits: Race = {
  title: "limits: jobs that are enqueued and end at once leave exactly as many admitted as the limit allows",
  async round(competitors, n) {
    const now = instant(n);
    const limit = { key: `limit ${n}`, concurrency: 2, rate: null };
    const ids: string[] = [];
    const enqueue = (storage: Storage, i: number, turn: number) => {
      const mine = [0, 1].map((k) => `limited ${n} ${turn} ${i} ${k}`);
      ids.push(...mine);
      return storage.enqueue({ op: mine[0]!, now, jobs: mine.map((id) => job(id, now, { limit })) });
    };
    const admitted = async (): Promise<number> => {
      const ready = await competitors[0]!.listJobs({ states: ["ready", "running"], queue: queueAt(now), limit: 100 });
      return ready.filter((found) => found.limitKey === limit.key && !found.held).length;
    };
    await Promise.all(competitors.map((storage, i) => enqueue(storage, i, 0)));
    expect(await admitted()).toBe(2);
    const { jobs } = await competitors[0]!.claim(claiming(`l ${n}`, now, { limit: 10 }));
    expect(jobs).toHaveLength(2);
    await Promise.all(
      competitors.map((storage, i) =>
        i < 2
          ? storage.save(
              saving(`free ${n} ${i}`, now, [
                { id: jobs[i]!.id, token: `l ${n}`, transition: { to: "completed", result: "1" } },
              ]),
            )
          : enqueue(storage, i, 1),
      ),
    );
    expect(await admitted()).toBe(2);
    await clear(competitors[0]!, n, ids);
    expect(await admitted()).toBe(0);
  },
};

const limitCancelled: Race = {
  title: "limits: held jobs that are cancelled while places become free leave no place empty",
  async round(competitors, n) {
    const now = instant(n);
    const limit = { key: `queued ${n}`, concurrency: 2, rate: null };
    const ids = ["a", "b", "c", "d", "e", "f"].map((letter) => `queued ${n} ${letter}`);
    const [worker, first, second, sender] = competitors;
    await worker!.enqueue({ op: ids[0]!, now, jobs: ids.map((id) => job(id, now, { limit })) });
    const { jobs } = await worker!.claim(claiming(`q ${n}`, now, { limit: 10 }));
    expect(jobs.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const write = { id: ids[0]!, token: `q ${n}`, transition: { to: "completed", result: "1" } as const };
    const [, third, fourth] = await Promise.all([
      worker!.save(saving(`end ${ids[0]}`, now, [write])),
      first!.cancel({ op: `c ${ids[2]}`, now, ids: [ids[2]!], error: "{}" }),
      second!.cancel({ op: `c ${ids[3]}`, now, ids: [ids[3]!], error: "{}" }),
      sender!.enqueue({ op: `more ${n}`, now, jobs: [job(`queued ${n} g`, now, { limit })] }),
    ]);
    expect([third, fourth]).toEqual([[ids[2]], [ids[3]]]);
    const open = await worker!.listJobs({ states: ["ready", "running"], queue: queueAt(now), limit: 100 });
    const mine = open.filter(({ limitKey }) => limitKey === limit.key);
    expect(mine.map(({ id, held }) => [id.slice(-1), held])).toEqual([
      ["g", true],
      ["f", true],
      ["e", false],
      ["b", false],
    ]);
    await clear(
      worker!,
      n,
      mine.map(({ id }) => id),
    );
  },
};

const cancelFamily: Race = {
  title: "cancel against a child that saves its own children: no descendant stays unfinished",
  async round([worker, canceller, other], n) {
    const now = instant(n);
    const [top, middle] = [`top ${n}`, `middle ${n}`];
    await running(worker!, n, `t ${n}`, [job(top, now), job(middle, now, { parentId: top })]);
    const leaves = [`leaf ${n} a`, `leaf ${n} b`];
    const [saved] = await Promise.all([
      worker!.save(
        saving(`leaves ${n}`, now, [
          { id: middle, token: `t ${n}`, children: leaves.map((id) => job(id, now, { parentId: middle })) },
        ]),
      ),
      canceller!.cancel({ op: `fell ${n}`, now, ids: [top], error: '"felled"' }),
    ]);
    const family = await other!.listJobs({ parentId: middle, limit: 10 });
    expect(family).toHaveLength(saved!.saved.length > 0 ? 2 : 0);
    for (const id of [top, middle, ...family.map((leaf) => leaf.id)]) {
      expect(await other!.getJob({ id })).toMatchObject({ id, state: "cancelled" });
    }
  },
};

/** All of them. */
export const END_RACES: readonly Race[] = [
  signalSuspend,
  childrenSuspend,
  failures,
  limits,
  limitCancelled,
  cancelFamily,
];
