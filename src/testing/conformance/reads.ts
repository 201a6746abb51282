/** How full is it, what may go, who is told? Cases about stats, purge and listening. */
import { delay, systemClock } from "../../base/clock.ts";
import type { PurgeRequest, Wake } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newOutcome, newQueue, newSchedule, type Rig, T0 } from "./rig.ts";

function purge(rig: Rig, given: Partial<PurgeRequest>): ReturnType<typeof rig.storage.purge> {
  return rig.storage.purge({
    now: rig.now,
    finishedBefore: 0,
    failedBefore: 0,
    occurrencesBefore: 0,
    limit: 100,
    ...given,
  });
}

/** Ends a job at an instant in a state. */
async function ended(
  rig: Rig,
  id: string,
  at: number,
  to: "completed" | "failed" | "cancelled" | "expired",
  parentId: string | null = null,
): Promise<void> {
  rig.now = at;
  const job = await rig.running(id, { parentId, availableAt: at });
  await rig.move(job, to === "completed" ? { to, result: "1" } : { to, error: '"e"' });
}

/** How long a wake-up may take on a loaded machine. */
const WAKE_MS = 10_000;

/** Waits for a wake-up of a kind, in real time: what tells it may be another process. */
async function woken(rig: Rig, kind: Wake, act: () => Promise<unknown>): Promise<void> {
  let heard: (() => void) | undefined;
  const hears = new Promise<true>((resolve) => {
    heard = () => resolve(true);
  });
  const stop = await rig.storage.listen!((wake) => {
    if (wake === kind || wake === "any") heard!();
  });
  const timeout = new AbortController();
  await act();
  const came = await Promise.race([hears, delay(systemClock, WAKE_MS, timeout.signal).then(() => false)]);
  timeout.abort();
  await stop();
  ok(came === true, `a listener should have been woken for ${kind}`);
}

/** Cases of `stats`, `purge` and `listen`. */
export const readCases: readonly Case[] = [
  {
    title: "stats() counts what is claimable, later, held, running, waiting and failed, by queue",
    async run(rig) {
      const limit = { limit: { key: "l", concurrency: 1, rate: null } };
      await rig.setQueues(newQueue("a"), newQueue("idle", { paused: true }));
      await rig.enqueue(
        newJob("runs", { queue: "b" }),
        newJob("waits", { queue: "b" }),
        newJob("fails", { queue: "b" }),
        newJob("done", { queue: "done" }),
      );
      const { jobs } = await rig.claim({ queues: ["b", "done"] });
      const of = (id: string) => jobs.find((job) => job.id === id)!;
      await rig.move(of("waits"), { to: "waiting", availableAt: null, arrivals: 0 });
      await rig.fail(of("fails"));
      await rig.complete(of("done"));
      await rig.enqueue(
        newJob("r1", { queue: "a", availableAt: T0 - 7 }),
        newJob("r2", { queue: "a" }),
        newJob("later", { queue: "a", availableAt: T0 + 1 }),
        newJob("l1", { queue: "a", ...limit }),
        newJob("l2", { queue: "a", ...limit }),
        newJob("l3", { queue: "a", ...limit, availableAt: T0 + 5 }),
      );
      await rig.register(
        newSchedule("s1", { nextAt: T0 + 3, skips: 3 }),
        newSchedule("s2", { nextAt: T0 + 2, state: "paused", skips: 9 }),
        newSchedule("s3", { nextAt: null, state: "ended" }),
      );
      const lease = await rig.lead();
      const stats = await rig.storage.stats({ now: rig.now });
      const none = {
        ready: 0,
        scheduled: 0,
        held: 0,
        running: 0,
        waiting: 0,
        failed: 0,
        oldestReadyAt: null,
        paused: false,
      };
      equal(
        stats.queues,
        [
          { ...none, queue: "a", ready: 3, scheduled: 2, held: 1, oldestReadyAt: T0 - 7 },
          { ...none, queue: "b", running: 1, waiting: 1, failed: 1 },
          { ...none, queue: "idle", paused: true },
        ],
        "queues",
      );
      equal(stats.schedules, { active: 1, paused: 1, ended: 1, broken: 0 }, "schedules");
      equal(stats.onlySkips, 1, "active ones that skipped three times in a row");
      equal(stats.nextAt, T0 + 3, "the earliest of the active ones");
      equal(stats.lease, { ...lease, expiresAt: T0 + 15_000 }, "lease");
    },
  },
  {
    title: "stats() of an empty storage",
    async run(rig) {
      const { queues, schedules, onlySkips, lease, nextAt } = await rig.storage.stats({ now: rig.now });
      equal(
        [queues, schedules, onlySkips, lease, nextAt],
        [[], { active: 0, paused: 0, ended: 0, broken: 0 }, 0, null, null],
        "nothing",
      );
    },
  },
  {
    title:
      "purge() removes finished jobs by age, failed ones by their own, with steps and signals; unfinished ones never",
    async run(rig) {
      await ended(rig, "c1", T0 + 1, "completed");
      await ended(rig, "x2", T0 + 2, "cancelled");
      await ended(rig, "e3", T0 + 3, "expired");
      await ended(rig, "f1", T0 + 1, "failed");
      await ended(rig, "f3", T0 + 3, "failed");
      await rig.running("runs");
      await rig.enqueue(newJob("ready", { queue: "x" }));
      rig.now = T0 + 1e9;
      equal(
        await purge(rig, { finishedBefore: T0 + 3, failedBefore: T0 + 2 }),
        { jobs: 3, occurrences: 0 },
        "before, not at",
      );
      equal(
        await rig.states("c1", "x2", "e3", "f1", "f3", "runs", "ready"),
        ["absent", "absent", "expired", "absent", "failed", "running", "ready"],
        "what is left",
      );
      equal(
        await purge(rig, { finishedBefore: T0 + 1e10, failedBefore: T0 + 1e10 }),
        { jobs: 2, occurrences: 0 },
        "the rest of what is over",
      );
      equal(await rig.states("runs", "ready"), ["running", "ready"], "unfinished ones stay");
      await rig.enqueue(newJob("c1"));
      equal([(await rig.job("c1")).steps, (await rig.job("c1")).signals], [[], []], "nothing of the old one is left");
    },
  },
  {
    title: "purge() is bounded: the oldest first, a chunk at a time",
    async run(rig) {
      for (let i = 0; i < 5; i++) await ended(rig, `j${i}`, T0 + i, i % 2 ? "failed" : "completed");
      const all = { finishedBefore: T0 + 99, failedBefore: T0 + 99, limit: 2 };
      equal((await purge(rig, all)).jobs, 2, "the first chunk");
      equal(await rig.states("j0", "j1", "j2"), ["absent", "absent", "completed"], "the oldest two");
      equal(
        [(await purge(rig, all)).jobs, (await purge(rig, all)).jobs, (await purge(rig, all)).jobs],
        [2, 1, 0],
        "until nothing is left",
      );
    },
  },
  {
    title: "purge() keeps a job as long as its parent is unfinished",
    async run(rig) {
      const parent = await rig.running("parent", { queue: "parents" });
      await ended(rig, "child", T0 + 1, "completed", "parent");
      await ended(rig, "orphan", T0 + 1, "completed", "gone");
      await ended(rig, "other", T0 + 2, "completed");
      equal((await purge(rig, { finishedBefore: T0 + 99, limit: 1 })).jobs, 1, "a kept job does not use up the chunk");
      equal((await purge(rig, { finishedBefore: T0 + 99 })).jobs, 1, "the other");
      equal(await rig.states("child", "orphan", "other"), ["completed", "absent", "absent"], "the child is kept");
      await rig.complete(parent);
      rig.now += 99;
      equal((await purge(rig, { finishedBefore: rig.now })).jobs, 2, "then both may go");
    },
  },
  {
    title: "purge() removes outcomes by their last occurrence, in chunks, and nothing else of the schedule",
    async run(rig) {
      const outcomes = [
        newOutcome("s", T0, { untilAt: T0 + 50, count: 51, reason: "paused" }),
        newOutcome("s", T0 + 60),
        newOutcome("s", T0 + 70),
      ];
      await rig.put({ puts: [{ revision: null, record: newSchedule("s"), jobs: [], occurrences: outcomes }] });
      equal(
        await purge(rig, { occurrencesBefore: T0 + 50 }),
        { jobs: 0, occurrences: 0 },
        "a run goes when its last one is old",
      );
      equal(await purge(rig, { occurrencesBefore: T0 + 999, limit: 2 }), { jobs: 0, occurrences: 2 }, "a chunk");
      const left = await rig.storage.listOccurrences({ schedule: "s", limit: 9 });
      equal(
        left.map(({ at }) => at),
        [T0 + 70],
        "the newest is left",
      );
      equal((await rig.schedule("s")).revision, 1, "the schedule is untouched");
    },
  },
  {
    title: "listen() tells of registered schedules, of a lease given up, and of jobs that became claimable",
    needs: "listen",
    async run(rig) {
      await woken(rig, "schedules", () => rig.register(newSchedule("s")));
      await woken(rig, "jobs", () => rig.enqueue(newJob("j")));
      const [job] = (await rig.claim()).jobs;
      await rig.move(job!, { to: "waiting", availableAt: null, arrivals: 0 });
      await woken(rig, "jobs", () =>
        rig.storage.signal({ now: rig.now, signals: [{ jobId: "j", name: "n", key: "k", payload: "1" }] }),
      );
      await woken(rig, "jobs", async () => rig.fire({ firings: [rig.firing(await rig.schedule("s"))] }));
      const lease = await rig.lead();
      await woken(rig, "schedules", () => rig.storage.resign({ ...lease, now: rig.now }));
    },
  },
  {
    title: "listen() tells every listener, and no one who has stopped",
    needs: "listen",
    async run(rig) {
      const heard: string[] = [];
      const stops = await Promise.all(["a", "b"].map((name) => rig.storage.listen!(() => void heard.push(name))));
      await woken(rig, "jobs", () => rig.enqueue(newJob("j1")));
      sameItems([...new Set(heard)], ["a", "b"], "both");
      for (const stop of stops) await stop();
      heard.length = 0;
      await woken(rig, "jobs", () => rig.enqueue(newJob("j2")));
      equal(heard, [], "silence after stopping");
    },
  },
];
