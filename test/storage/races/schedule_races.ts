/** Races for the lease, for occurrences and for the rows of schedules. */
import { expect } from "vitest";
import type { BeginTickRequest, Storage } from "../../../src/storage/port.ts";
import { clear, create, firing, instant, type Race, schedule } from "./rows.ts";

const TTL_MS = 1000;

function asking(holder: string, token: number | null, now: number): BeginTickRequest {
  return { holder, token, now, ttlMs: TTL_MS, maxDue: 10, resignIfIdle: false };
}

/** The state of a schedule after a round: its row, its jobs and its outcomes. */
async function standing(storage: Storage, name: string) {
  const [row] = await storage.listSchedules({ names: [name], limit: 1 });
  const jobs = await storage.listJobs({ schedule: name, limit: 10 });
  const outcomes = await storage.listOccurrences({ schedule: name, limit: 10 });
  return { row: row!, jobs, outcomes };
}

/** Checks that there is one job and one outcome, and that they belong together. */
function expectOneJob(found: Awaited<ReturnType<typeof standing>>, at: number): void {
  expect(found.jobs).toHaveLength(1);
  expect(found.jobs[0]).toMatchObject({ scheduledAt: at });
  expect(found.outcomes).toHaveLength(1);
  expect(found.outcomes[0]).toMatchObject({ at, jobId: found.jobs[0]!.id });
}

const takeover: Race = {
  title: "lease takeover: of the old holder and three others one leads",
  async round(competitors, n) {
    const now = instant(n);
    const old = await competitors[0]!.beginTick(asking(`old ${n}`, null, now));
    expect(old.leads).toBe(true);
    const token = old.lease!.token;
    const replies = await Promise.all(
      competitors.map((storage, i) =>
        storage.beginTick(
          i === 0 ? asking(`old ${n}`, token, now + TTL_MS) : asking(`new ${n} ${i}`, null, now + TTL_MS),
        ),
      ),
    );
    const leaders = replies.filter(({ leads }) => leads);
    expect(leaders).toHaveLength(1);
    const winner = replies.indexOf(leaders[0]!);
    const lease = {
      holder: winner === 0 ? `old ${n}` : `new ${n} ${winner}`,
      token: winner === 0 ? token : token + 1,
      expiresAt: now + 2 * TTL_MS,
    };
    for (const reply of replies) expect(reply.lease).toEqual(lease);
  },
};

const fireUnderTakeover: Race = {
  title: "fire under takeover: the occurrence fires once, by the old leader only before the takeover",
  async round([old, resent, heir, reader], n) {
    const now = instant(n);
    const name = `taken ${n}`;
    await create(old!, now, schedule(name, now));
    const term = await old!.beginTick(asking(`old ${n}`, null, now));
    expect(term.due.map((due) => due.name)).toEqual([name]);
    const lease = { holder: `old ${n}`, token: term.lease!.token };
    const later = now + TTL_MS;
    const firings = [firing(name, 1, now, `${name} old`)];
    const [first, second, taken] = await Promise.all([
      old!.fire({ op: `fire ${n}`, now: later, lease, firings, resign: false }),
      resent!.fire({ op: `fire ${n}`, now: later, lease, firings, resign: false }),
      heir!.beginTick(asking(`heir ${n}`, null, later)).then(async (begun) => {
        expect(begun.leads).toBe(true);
        const due = begun.due.map(({ revision }) => firing(name, revision, now, `${name} heir`));
        const heirs = { holder: `heir ${n}`, token: begun.lease!.token };
        const reply = await heir!.fire({ op: `heir ${n}`, now: later, lease: heirs, firings: due, resign: false });
        expect(reply.leads).toBe(true);
        return { due: due.length, fired: reply.fired.length };
      }),
    ]);
    expect(taken.fired).toBe(taken.due);
    expect(second.fired).toEqual(first.fired);
    expect(first.fired).toEqual(taken.due > 0 ? [] : [name]);
    const found = await standing(reader!, name);
    expectOneJob(found, now);
    expect(found.row).toMatchObject({ revision: 2, fired: 1 });
    await clear(reader!, n, [found.jobs[0]!.id]);
  },
};

const fireByRevision: Race = {
  title: "fire by revision: of four triggers from one state one moves the schedule",
  async round(competitors, n) {
    const now = instant(n);
    const name = `moved ${n}`;
    await create(competitors[0]!, now, schedule(name, now));
    const replies = await Promise.all(
      competitors.map((storage, i) =>
        storage.fire({
          op: `move ${n} ${i}`,
          now,
          lease: null,
          // Each has an occurrence of its own, so only the revision keeps them apart.
          firings: [firing(name, 1, now + i, `${name} ${i}`)],
          resign: false,
        }),
      ),
    );
    const winners = replies.flatMap(({ fired }, i) => (fired.length > 0 ? [i] : []));
    expect(winners).toHaveLength(1);
    const found = await standing(competitors[0]!, name);
    expectOneJob(found, now + winners[0]!);
    expect(replies[winners[0]!]!.jobs).toEqual([found.jobs[0]!.id]);
    await clear(competitors[0]!, n, [found.jobs[0]!.id]);
  },
};

const occurrenceOnce: Race = {
  title: "one occurrence from two states: both move the schedule, one makes its job",
  async round([first, second, reader], n) {
    const now = instant(n);
    const name = `twice ${n}`;
    await create(first!, now, schedule(name, now));
    const persist = async (storage: Storage, id: string): Promise<string[]> => {
      for (let go = 0; ; go++) {
        const [row] = await storage.listSchedules({ names: [name], limit: 1 });
        const firings = [firing(name, row!.revision, now, id)];
        const reply = await storage.fire({ op: `${id} ${go}`, now, lease: null, firings, resign: false });
        if (reply.fired.length > 0) return reply.jobs;
      }
    };
    const made = await Promise.all([persist(first!, `${name} a`), persist(second!, `${name} b`)]);
    const found = await standing(reader!, name);
    expectOneJob(found, now);
    expect(made.flat()).toEqual([found.jobs[0]!.id]);
    expect(found.row.revision).toBe(3);
    await clear(reader!, n, [found.jobs[0]!.id]);
  },
};

const register: Race = {
  title: "registering: one caller creates, and from each revision one replaces or removes",
  async round(competitors, n) {
    const now = instant(n);
    const name = `put ${n}`;
    const write = (storage: Storage, i: number, revision: number | null) => {
      const record = schedule(name, instant(10_000_000), { definition: `{"by":${i},"from":${revision}}` });
      const puts = [{ revision, record, jobs: [], occurrences: [] }];
      return storage.putSchedules({ op: `put ${n} ${i} ${revision}`, now, puts, removes: [], owner: null });
    };
    const created = await Promise.all(competitors.map((storage, i) => write(storage, i, null)));
    expect(created.flatMap(({ written }) => written)).toEqual([name]);
    const [removed, ...replaced] = await Promise.all(
      competitors.map((storage, i) =>
        i > 0
          ? write(storage, i, 1)
          : storage.putSchedules({ op: `rm ${n}`, now, puts: [], removes: [{ name, revision: 1 }], owner: null }),
      ),
    );
    const writers = replaced.flatMap(({ written }, i) => (written.length > 0 ? [i + 1] : []));
    expect(removed!.removed.length + writers.length).toBe(1);
    const rows = await competitors[0]!.listSchedules({ names: [name], limit: 1 });
    expect(rows.map(({ definition }) => definition)).toEqual(writers.map((i) => `{"by":${i},"from":1}`));
    const left = rows.map(({ revision }) => ({ name, revision }));
    await competitors[0]!.putSchedules({ op: `end ${n}`, now, puts: [], removes: left, owner: null });
  },
};

const generations: Race = {
  title: "sync: an older generation writes nothing after a newer one",
  async round(competitors, n) {
    const now = instant(n);
    const owner = `owner ${n}`;
    const name = `synced ${n}`;
    const sync = async (storage: Storage, generation: number): Promise<void> => {
      for (let go = 0; ; go++) {
        const [row] = await storage.listSchedules({ names: [name], limit: 1 });
        const record = schedule(name, instant(10_000_000), { owner, definition: `{"generation":${generation}}` });
        const reply = await storage.putSchedules({
          op: `sync ${n} ${generation} ${go}`,
          now,
          puts: [{ revision: row?.revision ?? null, record, jobs: [], occurrences: [] }],
          removes: [],
          owner: { owner, generation },
        });
        if (!reply.current || reply.written.length > 0) return;
      }
    };
    await Promise.all(competitors.map((storage, i) => sync(storage, i + 1)));
    const [row] = await competitors[0]!.listSchedules({ names: [name], limit: 1 });
    expect(row!.definition).toBe(`{"generation":${competitors.length}}`);
  },
};

/** All of them. */
export const SCHEDULE_RACES: readonly Race[] = [
  takeover,
  fireUnderTakeover,
  fireByRevision,
  occurrenceOnce,
  register,
  generations,
];
