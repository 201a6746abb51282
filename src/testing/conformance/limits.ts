/** How many at once, how many a minute? Cases about the settings of queues and the limits of jobs. */
import type { JobLimit, QueueChange } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newOutcome, newQueue, newSchedule, type Rig, T0 } from "./rig.ts";

function limitOf(given: Partial<JobLimit> = {}): { limit: JobLimit } {
  return { limit: { key: "l", concurrency: null, rate: null, ...given } };
}

async function held(rig: Rig, ...ids: string[]): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const id of ids) found.push((await rig.job(id)).held);
  return found;
}

/** Cases of queue settings and job limits. */
export const limitCases: readonly Case[] = [
  {
    title: "putQueues() changes the settings that are given and leaves the others, also when two change them at once",
    async run(rig) {
      const { storage } = rig;
      const put = (change: QueueChange): Promise<void> => storage.putQueues({ now: rig.now, queues: [change] });
      await put({ name: "a", concurrency: 3 });
      equal(await storage.listQueues(), [newQueue("a", { concurrency: 3 })], "what is absent has its default");
      for (let round = 0; round < 10; round++) {
        const rate = { count: round + 1, perMs: 1_000 };
        await Promise.all([put({ name: "a", paused: round % 2 === 0 }), put({ name: "a", concurrency: round + 1 })]);
        await Promise.all([put({ name: "a", rate }), put({ name: `new ${round}` })]);
        const [stored] = await storage.listQueues();
        equal(stored, { name: "a", paused: round % 2 === 0, concurrency: round + 1, rate }, `round ${round}`);
      }
      await put({ name: "a", concurrency: null, rate: null });
      equal((await storage.listQueues())[0], newQueue("a", { paused: false }), "null takes a limit away");
    },
  },
  {
    title: "putQueues() writes and overwrites settings, listQueues() gives them by name",
    async run(rig) {
      equal(await rig.storage.listQueues(), [], "none at first");
      await rig.enqueue(newJob("j"));
      equal(await rig.storage.listQueues(), [], "a queue without settings has no row");
      const b = newQueue("b", { paused: true, concurrency: 3, rate: { count: 5, perMs: 1000 } });
      await rig.setQueues(b, newQueue("a"));
      equal(await rig.storage.listQueues(), [newQueue("a"), b], "both");
      await rig.setQueues(newQueue("b", { concurrency: 1 }));
      equal(
        await rig.storage.listQueues(),
        [newQueue("a"), newQueue("b", { concurrency: 1 })],
        "overwritten as a whole",
      );
    },
  },
  {
    title: "a queue's concurrency counts its running jobs over all workers",
    async run(rig) {
      await rig.setQueues(newQueue("q", { concurrency: 2 }));
      await rig.enqueue(...["a", "b", "c", "d"].map((id) => newJob(id)), newJob("free", { queue: "free" }));
      const first = await rig.claim({ worker: "w1", limit: 1 });
      const second = await rig.claim({ worker: "w2", queues: ["q", "free"] });
      equal(
        second.jobs.map(({ id }) => id),
        ["b", "free"],
        "one place is left, other queues are free",
      );
      const full = await rig.claim();
      equal(full.jobs, [], "full");
      ok(full.nextAt !== null && full.nextAt > rig.now, "a full queue does not call at once");
      await rig.complete(first.jobs[0]!);
      equal(await rig.claimIds(), ["c"], "a place is free");
      await rig.move(second.jobs[0]!, { to: "waiting", availableAt: null, arrivals: 0 });
      equal(await rig.claimIds(), ["d"], "who waits does not run");
    },
  },
  {
    title: "a queue's concurrency counts no claims that have run out",
    async run(rig) {
      await rig.setQueues(newQueue("q", { concurrency: 1 }));
      await rig.running("a");
      await rig.enqueue(newJob("b", { priority: 1 }));
      rig.now += 30_000;
      equal(await rig.claimIds(), ["b"], "the place is free again, and the best job gets it");
    },
  },
  {
    title: "a queue's rate bounds the claims in any window, and tells when the window frees",
    async run(rig) {
      await rig.setQueues(newQueue("q", { rate: { count: 2, perMs: 1000 } }));
      await rig.enqueue(...["a", "b", "c", "d", "e"].map((id) => newJob(id)));
      equal(await rig.claimIds({ limit: 1 }), ["a"], "the first");
      rig.now = T0 + 600;
      const second = await rig.claim({ claimMs: 100_000 });
      equal(
        second.jobs.map(({ id }) => id),
        ["b"],
        "the second",
      );
      equal(second.nextAt, T0 + 1000, "when the window frees");
      rig.now = T0 + 999;
      equal(await rig.claimIds(), [], "the window is full");
      rig.now = T0 + 1000;
      equal(await rig.claimIds(), ["c"], "the first start has left the window");
      rig.now = T0 + 1599;
      equal(await rig.claimIds(), [], "b and c are in the window: it slides, it does not start anew");
      rig.now = T0 + 2000;
      equal(await rig.claimIds(), ["d", "e"], "both have left");
    },
  },
  {
    title: "a limit's concurrency admits so many unfinished jobs of its key and holds the others",
    async run(rig) {
      const limit = limitOf({ concurrency: 2 });
      await rig.enqueue(
        newJob("a", limit),
        newJob("b", limit),
        newJob("c", { ...limit, availableAt: T0 - 1 }),
        newJob("d", { ...limit, queue: "other" }),
        newJob("free"),
      );
      equal(
        await held(rig, "a", "b", "c", "d", "free"),
        [false, true, false, true, false],
        "the oldest by availableAt go first",
      );
      const { jobs } = await rig.claim({ queues: ["q", "other"] });
      sameItems(
        jobs.map(({ id }) => id),
        ["a", "c", "free"],
        "only admitted ones",
      );
      const a = jobs.find(({ id }) => id === "a")!;
      await rig.move(a, { to: "waiting", availableAt: null, arrivals: 0 });
      equal(await rig.claimIds({ queues: ["q", "other"] }), [], "who waits is unfinished, so it counts");
      await rig.complete(jobs.find(({ id }) => id === "c")!);
      equal(await held(rig, "b", "d"), [false, true], "its end admits the next");
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["a"], error: '"x"' });
      equal(await rig.claimIds({ queues: ["q", "other"] }), ["b", "d"], "so does a cancel; the limit spans queues");
    },
  },
  {
    title: "a limit admits the highest priority first, then the oldest",
    async run(rig) {
      const limit = limitOf({ concurrency: 1 });
      const first = await rig.running("first", limit);
      await rig.enqueue(
        newJob("old", { ...limit, availableAt: T0 - 9 }),
        newJob("b", limit),
        newJob("a", limit),
        newJob("high", { ...limit, priority: 1 }),
      );
      const order: string[] = [];
      let job = first;
      for (let i = 0; i < 4; i++) {
        await rig.complete(job);
        job = (await rig.claim()).jobs[0]!;
        order.push(job.id);
      }
      equal(order, ["high", "old", "a", "b"], "order");
    },
  },
  {
    title: "a held job is no candidate, whatever ends: expiry and cancel of held ones free no place",
    async run(rig) {
      const limit = limitOf({ concurrency: 1 });
      await rig.running("runs", limit);
      await rig.enqueue(
        newJob("expires", { ...limit, expiresAt: T0 + 5 }),
        newJob("cancelled", limit),
        newJob("held", limit),
      );
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["cancelled"], error: '"x"' });
      rig.now = T0 + 5;
      equal(await rig.claimIds(), [], "nothing to claim");
      equal(await rig.states("expires", "cancelled", "held"), ["expired", "cancelled", "ready"], "states");
      equal(await held(rig, "held"), [true], "the place is still taken");
    },
  },
  {
    title: "a delayed job takes no place of its limit before it is available",
    async run(rig) {
      const limit = limitOf({ concurrency: 1 });
      await rig.enqueue(newJob("delayed", { ...limit, availableAt: T0 + 100, priority: 9 }), newJob("now", limit));
      equal(await rig.claimIds(), ["now"], "the other goes");
      rig.now = T0 + 100;
      equal(await rig.claimIds(), [], "then it has to wait");
      await rig.complete({ id: "now", claimToken: (await rig.job("now")).claimToken });
      equal(await rig.claimIds(), ["delayed"], "and goes");
    },
  },
  {
    title: "a delayed job is admitted by time when its limit has room",
    async run(rig) {
      await rig.enqueue(newJob("j", { ...limitOf({ concurrency: 1 }), availableAt: T0 + 100 }));
      const early = await rig.claim();
      equal([early.jobs.length, early.nextAt], [0, T0 + 100], "too early, and when to come");
      rig.now = T0 + 100;
      equal(await rig.claimIds(), ["j"], "in time");
    },
  },
  {
    title: "a limit's rate bounds the admissions in any window, and time admits the next",
    async run(rig) {
      const limit = limitOf({ rate: { count: 2, perMs: 1000 } });
      await rig.enqueue(newJob("a", limit));
      rig.now = T0 + 600;
      await rig.enqueue(newJob("b", limit), newJob("c", limit), newJob("d", limit));
      equal(await held(rig, "a", "b", "c", "d"), [false, false, true, true], "two in the window");
      const reply = await rig.claim({ claimMs: 100_000 });
      equal(
        reply.jobs.map(({ id }) => id),
        ["a", "b"],
        "the admitted ones",
      );
      equal(reply.nextAt, T0 + 1000, "when the next is admitted");
      equal((await rig.tick()).jobsAt, T0 + 1000, "beginTick says the same");
      for (const job of reply.jobs) await rig.complete(job);
      equal(await held(rig, "c"), [true], "an end makes no room in the rate");
      rig.now = T0 + 999;
      equal(await rig.claimIds(), [], "too early");
      rig.now = T0 + 1000;
      equal(await rig.claimIds(), ["c"], "a has left the window");
      rig.now = T0 + 1600;
      equal(await rig.claimIds(), ["d"], "b has left the window");
    },
  },
  {
    // Found that a batch which admits to one key twice counted only its first starts.
    title: "a fire that cancels jobs and inserts others of one limit counts the starts of both against its rate",
    async run(rig) {
      const limit = limitOf({ rate: { count: 2, perMs: 1000 } });
      await rig.register(newSchedule("s"));
      await rig.enqueue(
        newJob("a", { ...limit, schedule: "s", scheduledAt: T0 - 1 }),
        newJob("b", limit),
        newJob("c", limit),
      );
      equal(await held(rig, "a", "b", "c"), [false, false, true], "two may start");
      rig.now += 1000;
      const schedule = await rig.schedule("s");
      const outcomes = ["n1", "n2"].map((id, i) => newOutcome("s", T0 + i, { jobId: id }));
      const jobs = ["n1", "n2"].map((id, i) => newJob(id, { ...limit, schedule: "s", scheduledAt: T0 + i }));
      await rig.fire({ firings: [rig.firing(schedule, { cancelUnfinished: true, jobs, occurrences: outcomes })] });
      equal(await rig.states("a"), ["cancelled"], "the unfinished one");
      equal(await held(rig, "c", "n1", "n2"), [false, false, true], "one start by the end, one by what came in");
      await rig.enqueue(newJob("late", limit));
      equal(await held(rig, "n2", "late"), [true, true], "both starts count");
      rig.now += 1000;
      await rig.claim();
      equal(await held(rig, "n2", "late"), [false, false], "until they leave the window");
    },
  },
  {
    title: "the limits of a key are those given last",
    async run(rig) {
      await rig.enqueue(...["a", "b", "c"].map((id) => newJob(id, limitOf({ concurrency: 1 }))));
      equal(await held(rig, "a", "b", "c"), [false, true, true], "one at a time");
      await rig.enqueue(newJob("d", limitOf({ concurrency: 3 })));
      equal(await held(rig, "a", "b", "c", "d"), [false, false, false, true], "three at a time");
    },
  },
  {
    title: "keys of limits are apart: one that is full holds no other",
    async run(rig) {
      await rig.enqueue(
        newJob("x1", limitOf({ key: "x", concurrency: 1 })),
        newJob("x2", limitOf({ key: "x", concurrency: 1 })),
        newJob("y1", limitOf({ key: "y", concurrency: 1 })),
      );
      equal(await rig.claimIds(), ["x1", "y1"], "one of each");
    },
  },
  {
    title: "a job put back by retry() is held again until its limit has room",
    async run(rig) {
      const limit = limitOf({ concurrency: 1 });
      const failed = await rig.running("failed", limit);
      await rig.enqueue(newJob("next", limit));
      await rig.fail(failed);
      equal(await rig.claimIds(), ["next"], "its end admitted the next");
      await rig.storage.retry({ op: rig.op(), now: rig.now, jobs: [{ id: "failed", forget: [], notes: null }] });
      equal([await held(rig, "failed"), await rig.claimIds()], [[true], []], "held");
      await rig.complete(await rig.job("next"));
      equal(await rig.claimIds(), ["failed"], "admitted");
    },
  },
  {
    title: "children and fired jobs are held by their limits as enqueued ones are",
    async run(rig) {
      const limit = limitOf({ concurrency: 1 });
      const parent = await rig.running("parent");
      await rig.save([
        rig.write(parent, {
          children: [newJob("c1", { ...limit, parentId: "parent" }), newJob("c2", { ...limit, parentId: "parent" })],
        }),
      ]);
      equal(await held(rig, "c1", "c2"), [false, true], "children");
      await rig.fail(parent);
      equal(await rig.states("c1", "c2"), ["cancelled", "cancelled"], "cancelled with their parent");
      await rig.enqueue(newJob("after", limit));
      equal(await held(rig, "after"), [false], "the place is free again");
    },
  },
];
