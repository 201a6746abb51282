/** What follows from a job's end? Cases about parents, descendants, and the schedules that count failures. */
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newSchedule, newStep, type Rig, T0 } from "./rig.ts";

/** A parent that waits for its children, which are ready. */
async function family(rig: Rig, ...children: string[]): Promise<void> {
  const parent = await rig.running("parent", { queue: "parents" });
  await rig.save([
    rig.write(parent, {
      children: children.map((id) => newJob(id, { parentId: "parent" })),
      transition: { to: "waiting", availableAt: null, arrivals: 0 },
    }),
  ]);
}

const claimParent = { queues: ["parents"] };

/** Cases of what a job's end does to others. */
export const endingCases: readonly Case[] = [
  {
    title: "a child's end wakes its waiting parent, which finds the outcome",
    async run(rig) {
      await family(rig, "c1", "c2");
      equal(await rig.claimIds(claimParent), [], "the parent waits");
      const { jobs } = await rig.claim({ limit: 1 });
      rig.now += 5;
      await rig.complete(jobs[0]!);
      const parent = await rig.job("parent");
      equal([parent.state, parent.arrivals, parent.availableAt], ["ready", 1, rig.now], "woken");
      const [claimed] = (await rig.claim(claimParent)).jobs;
      equal(claimed!.attempt, 1, "it resumes");
      equal(
        claimed!.children,
        [{ id: "c1", state: "completed", result: '"ok"', error: null, finishedAt: rig.now }],
        "the outcome of the one that ended",
      );
    },
  },
  {
    title: "children that fail, are cancelled or expire wake their parent too, with state and error",
    async run(rig) {
      await family(rig, "fails", "cancelled", "runs");
      await rig.enqueue(newJob("expires", { parentId: "parent", queue: "nobody", expiresAt: T0 + 5 }));
      const { jobs } = await rig.claim();
      await rig.fail(jobs.find(({ id }) => id === "fails")!);
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["cancelled"], error: '"stop"' });
      rig.now += 5;
      const [claimed] = (await rig.claim(claimParent)).jobs;
      equal(claimed!.arrivals, 3, "three have ended");
      const ends = claimed!.children.map(({ id, state, error }) => [id, state, error !== null]);
      sameItems(
        ends.map(String),
        ["fails,failed,true", "cancelled,cancelled,true", "expires,expired,true"],
        "outcomes",
      );
    },
  },
  {
    title: "a child's end while its parent runs counts as an arrival, and keeps the parent from waiting for it in vain",
    async run(rig) {
      const parent = await rig.running("parent", { queue: "parents" });
      await rig.save([rig.write(parent, { children: [newJob("c", { parentId: "parent" })] })]);
      await rig.complete((await rig.claim()).jobs[0]!);
      const stored = await rig.job("parent");
      equal([stored.state, stored.arrivals, stored.claimToken], ["running", 1, parent.claimToken], "it runs on");
      equal(
        (await rig.move(parent, { to: "waiting", availableAt: null, arrivals: 0 })).saved,
        [{ id: "parent", state: "ready", arrivals: 1 }],
        "ready at once",
      );
    },
  },
  {
    title: "a parent that suspends in the same batch as its child ends is woken, in either order",
    async run(rig) {
      for (const childFirst of [true, false]) {
        const [id, child] = [`parent ${childFirst}`, `child ${childFirst}`];
        const parent = await rig.running(id, { queue: "parents" });
        await rig.save([rig.write(parent, { children: [newJob(child, { parentId: id })] })]);
        const [claimed] = (await rig.claim()).jobs;
        const writes = [
          rig.write(claimed!, { transition: { to: "completed", result: "1" } }),
          rig.write(parent, { transition: { to: "waiting", availableAt: null, arrivals: 0 } }),
        ];
        const { saved } = await rig.save(childFirst ? writes : writes.reverse());
        equal(
          saved.find((job) => job.id === id),
          { id, state: "ready", arrivals: 1 },
          `woken, child first: ${childFirst}`,
        );
        equal(await rig.claimIds(claimParent), [id], "claimable");
      }
    },
  },
  {
    title: "several children that end in one batch wake their parent once for each",
    async run(rig) {
      await family(rig, "c1", "c2", "c3");
      const { jobs } = await rig.claim();
      await rig.save(jobs.map((job) => rig.write(job, { transition: { to: "completed", result: "1" } })));
      const parent = await rig.job("parent");
      equal([parent.state, parent.arrivals, parent.children.length], ["ready", 3, 3], "woken");
    },
  },
  {
    title: "a parent that is over is not touched by what its children do",
    async run(rig) {
      const parent = await rig.running("parent", { queue: "parents" });
      await rig.save([
        rig.write(parent, {
          children: [newJob("c", { parentId: "parent" })],
          transition: { to: "completed", result: "1" },
        }),
      ]);
      equal(await rig.states("c"), ["ready"], "a completed parent lets its children live");
      const before = await rig.job("parent");
      await rig.complete((await rig.claim()).jobs[0]!);
      const { children: _, ...after } = await rig.job("parent");
      const { children: __, ...unchanged } = before;
      equal(after, unchanged, "untouched");
    },
  },
  {
    title: "a job that fails, is cancelled or expires takes its unfinished descendants with it",
    async run(rig) {
      const limit = { limit: { key: "l", concurrency: 1, rate: null } };
      for (const to of ["failed", "cancelled", "expired"] as const) {
        const root = await rig.running(`root ${to}`, { queue: "parents" });
        const children = [
          newJob(`done ${to}`, { parentId: root.id }),
          newJob(`runs ${to}`, { parentId: root.id }),
          newJob(`ready ${to}`, { parentId: root.id, queue: "nobody", ...limit }),
        ];
        await rig.save([rig.write(root, { children })]);
        const { jobs } = await rig.claim();
        await rig.complete(jobs[0]!);
        await rig.save([
          rig.write(jobs[1]!, { children: [newJob(`deep ${to}`, { parentId: jobs[1]!.id, queue: "nobody" })] }),
        ]);
        rig.now += 1;
        await rig.move(root, { to, error: '"e"' });
        const names = [`done ${to}`, `runs ${to}`, `ready ${to}`, `deep ${to}`];
        equal(await rig.states(...names), ["completed", "cancelled", "cancelled", "cancelled"], `after ${to}`);
        const deep = await rig.job(`deep ${to}`);
        ok(deep.error !== null && deep.finishedAt === rig.now, "a cancelled descendant says why and when");
        equal((await rig.complete(jobs[1]!)).saved, [], "its claim is lost");
        equal((await rig.job(root.id)).arrivals, 1, "the end of what it took with it does not wake it");
      }
    },
  },
  {
    title: "what does not end keeps its children: a retry, a sleep, a wait",
    async run(rig) {
      const parent = await rig.running("parent", { queue: "parents" });
      await rig.save([
        rig.write(parent, {
          children: [newJob("c", { parentId: "parent" })],
          transition: { to: "ready", availableAt: T0, resuming: false, error: '"e"' },
        }),
      ]);
      equal(await rig.states("c"), ["ready"], "it may be needed by the next attempt");
    },
  },
  {
    title: "failed jobs of a schedule are counted in a row; a completed one starts anew; others do not count",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const failures = async (): Promise<number> => (await rig.schedule("s")).failures;
      const run = async (id: string): Promise<Parameters<Rig["fail"]>[0]> =>
        rig.running(id, { schedule: "s", scheduledAt: T0 });
      await rig.fail(await run("f1"));
      await rig.fail(await run("f2"));
      equal(await failures(), 2, "two in a row");
      await rig.move(await run("retry"), { to: "ready", availableAt: T0 + 1e9, resuming: false, error: '"e"' });
      await rig.move(await run("cancelled"), { to: "cancelled", error: '"e"' });
      await rig.move(await run("expired"), { to: "expired", error: '"e"' });
      await rig.fail(await rig.running("other", { schedule: "another", scheduledAt: T0 }));
      equal(await failures(), 2, "none of these is a failed job of the schedule");
      equal((await rig.schedule("s")).state, "active", "without pauseAfterFailures nothing pauses");
      await rig.complete(await run("ok"));
      equal(await failures(), 0, "a completed one");
      await rig.fail(await run("f3"));
      equal(await failures(), 1, "counting starts anew");
    },
  },
  {
    title: "a schedule pauses by itself after pauseAfterFailures failed jobs in a row, once",
    async run(rig) {
      await rig.register(newSchedule("s", { pauseAfterFailures: 2, nextAt: T0 + 9 }));
      const run = async (id: string): Promise<Parameters<Rig["fail"]>[0]> =>
        rig.running(id, { schedule: "s", scheduledAt: T0 });
      await rig.fail(await run("f1"));
      const read = await rig.schedule("s");
      equal([read.state, read.failures], ["active", 1], "one is not enough");
      rig.now += 10;
      await rig.fail(await run("f2"));
      const paused = await rig.schedule("s");
      equal(
        [paused.state, paused.failures, paused.nextAt, paused.updatedAt],
        ["paused", 2, T0 + 9, rig.now],
        "paused where it was",
      );
      ok(paused.note !== null && paused.note !== "", "the note says why");
      ok(paused.revision > read.revision, "its revision has grown");
      equal((await rig.tick()).due, [], "it is not due any more");
      equal(
        (await rig.fire({ firings: [rig.firing(read)] })).fired,
        [],
        "what was read before the pause fires nothing",
      );
      await rig.fail(await run("f3"));
      equal((await rig.schedule("s")).note, paused.note, "a later failure does not pause it again");
      equal((await rig.schedule("s")).failures, 3, "but counts");
    },
  },
  {
    title: "a schedule counts failures of many jobs in one batch, and stays paused by hand",
    async run(rig) {
      await rig.register(
        newSchedule("s", { pauseAfterFailures: 3 }),
        newSchedule("t", { pauseAfterFailures: 1, state: "paused", note: "by hand" }),
      );
      await rig.enqueue(
        ...["a", "b", "c"].map((id) => newJob(id, { schedule: "s", scheduledAt: T0 })),
        newJob("t1", { schedule: "t", scheduledAt: T0 }),
      );
      const { jobs } = await rig.claim();
      await rig.save(jobs.map((job) => rig.write(job, { transition: { to: "failed", error: '"e"' } })));
      equal([(await rig.schedule("s")).state, (await rig.schedule("s")).failures], ["paused", 3], "three at once");
      equal(
        [(await rig.schedule("t")).note, (await rig.schedule("t")).failures],
        ["by hand", 1],
        "the note of a person stays",
      );
    },
  },
  {
    title: "a job's end sent twice counts once: one failure, one arrival",
    async run(rig) {
      await rig.register(newSchedule("s"));
      await family(rig, "c");
      await rig.enqueue(newJob("f", { schedule: "s", scheduledAt: T0 }));
      const { jobs } = await rig.claim();
      const writes = jobs.map((job) =>
        rig.write(job, { steps: [newStep(job.id, "s")], transition: { to: "failed", error: '"e"' } }),
      );
      await rig.save(writes, { op: "end" });
      await rig.save(writes, { op: "end" });
      equal([(await rig.schedule("s")).failures, (await rig.job("parent")).arrivals], [1, 1], "once");
    },
  },
];
