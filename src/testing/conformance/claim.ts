/** Which job runs next, and for whom? Cases about claiming: order, fairness, time, filters, the second delivery. */
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newStep, T0 } from "./rig.ts";

/** Cases of `claim` and `renew`. */
export const claimCases: readonly Case[] = [
  {
    title: "claim() hands out a job running under the token, with attempt and claims counted",
    async run(rig) {
      await rig.enqueue(newJob("j"));
      rig.now += 5;
      const { jobs } = await rig.claim({ token: "mine", worker: "w1", claimMs: 1000 });
      const stored = await rig.job("j");
      equal(jobs, [stored], "the claimed job is the stored one with its history");
      equal(
        [
          stored.state,
          stored.claimToken,
          stored.claimExpiresAt,
          stored.worker,
          stored.attempt,
          stored.claims,
          stored.startedAt,
        ],
        ["running", "mine", T0 + 1005, "w1", 1, 1, T0 + 5],
        "fields",
      );
      equal(await rig.claimIds(), [], "nobody else gets it");
    },
  },
  {
    title: "claim() goes by priority, then by availableAt, then by id, and stops at the limit",
    async run(rig) {
      await rig.enqueue(
        newJob("low", { priority: -1, availableAt: T0 - 100 }),
        newJob("b", { availableAt: T0 - 5 }),
        newJob("a", { availableAt: T0 - 5 }),
        newJob("old", { availableAt: T0 - 10 }),
        newJob("high", { priority: 9 }),
        newJob("Z", { availableAt: T0 - 5 }),
      );
      equal(await rig.claimIds({ limit: 4 }), ["high", "old", "Z", "a"], "the first four");
      equal(await rig.claimIds({ limit: 4 }), ["b", "low"], "the rest");
      equal(await rig.claimIds(), [], "nothing is left");
    },
  },
  {
    title: "claim() takes turns over the queues in the order given, so that no queue starves",
    async run(rig) {
      for (const queue of ["a", "b", "c"]) {
        await rig.enqueue(...[1, 2, 3].map((n) => newJob(`${queue}${n}`, { queue, priority: queue === "c" ? 9 : 0 })));
      }
      await rig.enqueue(newJob("a4", { queue: "a" }), newJob("x1", { queue: "unasked" }));
      equal(await rig.claimIds({ queues: ["b", "a", "c"], limit: 5 }), ["b1", "a1", "c1", "b2", "a2"], "two turns");
      equal(await rig.claimIds({ queues: ["a", "b", "a", "none"], limit: 9 }), ["a3", "b3", "a4"], "the rest of two");
      equal(await rig.states("c2", "x1"), ["ready", "ready"], "queues not asked for are left alone");
    },
  },
  {
    title: "claim() gives only jobs of the tasks asked for, and the others to those who know them",
    async run(rig) {
      await rig.enqueue(
        ...Array.from({ length: 30 }, (_, i) => newJob(`u${i}`, { task: "unknown", priority: 5 })),
        newJob("k1", { task: "known" }),
        newJob("k2", { task: "other" }),
      );
      equal(await rig.claimIds({ tasks: ["known", "absent"], limit: 2 }), ["k1"], "one known task");
      equal(await rig.claimIds({ tasks: [] }), [], "no tasks, nothing");
      equal(await rig.claimIds({ tasks: ["known", "other"] }), ["k2"], "two known tasks");
      equal((await rig.claim({ tasks: null, limit: 99 })).jobs.length, 30, "any task");
    },
  },
  {
    title: "claim() of a job that waits for its time: not before availableAt, at it yes",
    async run(rig) {
      await rig.enqueue(newJob("j", { availableAt: T0 + 100 }));
      rig.now = T0 + 99;
      const early = await rig.claim();
      equal([early.jobs.length, early.nextAt], [0, T0 + 100], "too early, and when to come");
      rig.now = T0 + 100;
      equal(await rig.claimIds(), ["j"], "exactly in time");
    },
  },
  {
    title: "claim() puts jobs that have come due in their place by priority and availableAt",
    async run(rig) {
      await rig.enqueue(
        newJob("now", { availableAt: T0 }),
        newJob("due2", { availableAt: T0 + 20 }),
        newJob("due1", { availableAt: T0 + 10 }),
        newJob("urgent", { availableAt: T0 + 30, priority: 1 }),
      );
      rig.now = T0 + 30;
      equal(await rig.claimIds(), ["urgent", "now", "due1", "due2"], "order");
    },
  },
  {
    title:
      "claim() takes over a job whose claim has run out, exactly at claimExpiresAt, as a new attempt with its history",
    async run(rig) {
      const first = await rig.running("j");
      await rig.save([rig.write(first, { steps: [newStep("j", "done")] })], { claimMs: 1000 });
      await rig.storage.signal({ now: rig.now, signals: [{ jobId: "j", name: "n", key: "k", payload: "1" }] });
      rig.now += 999;
      equal(await rig.claimIds(), [], "the claim still holds");
      rig.now += 1;
      const [second] = (await rig.claim({ token: "second", worker: "w2" })).jobs;
      equal([second?.id, second?.attempt, second?.claims, second?.worker], ["j", 2, 2, "w2"], "taken over");
      equal(second!.steps, [newStep("j", "done")], "with its steps");
      equal(
        second!.signals,
        [{ jobId: "j", name: "n", key: "k", payload: "1", sentAt: T0, seq: 1 }],
        "and its signals",
      );
      equal(second!.startedAt, T0, "it started when it was first claimed");
    },
  },
  {
    title: "claim() of a job that suspended goes on with the same attempt; after a retry with the next",
    async run(rig) {
      let job = await rig.running("j");
      const again = async (): Promise<number[]> => {
        rig.now += 1;
        job = (await rig.claim()).jobs[0]!;
        return [job.attempt, job.claims];
      };
      await rig.move(job, { to: "ready", availableAt: rig.now, resuming: true, error: null });
      equal(await again(), [1, 2], "after a sleep");
      await rig.move(job, { to: "waiting", availableAt: rig.now + 1, arrivals: 0 });
      equal(await again(), [1, 3], "after a timeout");
      await rig.move(job, { to: "ready", availableAt: rig.now, resuming: false, error: '"e"' });
      equal(await again(), [2, 4], "after a failed try");
      await rig.move(job, { to: "waiting", availableAt: null, arrivals: 0 });
      await rig.storage.signal({ now: rig.now, signals: [{ jobId: "j", name: "n", key: "k", payload: "1" }] });
      equal(await again(), [2, 5], "after a signal");
      rig.now += 30_000;
      job = (await rig.claim()).jobs[0]!;
      equal([job.attempt, job.claims], [3, 6], "after a crash: a resumed try that died counts too");
    },
  },
  {
    title: "claim() wakes a waiting job at its timeout, not before",
    async run(rig) {
      const job = await rig.running("j");
      await rig.move(job, { to: "waiting", availableAt: T0 + 50, arrivals: 0 });
      rig.now = T0 + 49;
      const early = await rig.claim();
      equal([early.jobs.length, early.nextAt], [0, T0 + 50], "it waits");
      rig.now = T0 + 50;
      equal(await rig.claimIds(), ["j"], "its timeout has come");
    },
  },
  {
    title: "claim() expires what is past expiresAt before its first attempt, exactly at it",
    async run(rig) {
      await rig.enqueue(
        newJob("in time", { expiresAt: T0 + 101 }),
        newJob("expired", { expiresAt: T0 + 100 }),
        newJob("delayed", { availableAt: T0 + 500, expiresAt: T0 + 100 }),
        newJob("elsewhere", { queue: "other", expiresAt: T0 + 100 }),
      );
      rig.now = T0 + 100;
      equal(await rig.claimIds(), ["in time"], "only what is in time");
      equal(await rig.states("expired", "delayed", "elsewhere"), ["expired", "expired", "expired"], "states");
      const job = await rig.job("expired");
      equal([job.finishedAt, job.attempt, job.availableAt], [rig.now, 0, null], "how it ended");
      ok(job.error !== null, "an expired job says why");
    },
  },
  {
    title: "claim() never expires a job that has begun: not between attempts, asleep or abandoned",
    async run(rig) {
      for (const id of ["retry", "asleep", "abandoned"]) await rig.enqueue(newJob(id, { expiresAt: T0 + 10 }));
      const { jobs } = await rig.claim({ claimMs: 5 });
      const of = (id: string) => jobs.find((job) => job.id === id)!;
      await rig.move(of("retry"), { to: "ready", availableAt: T0 + 20, resuming: false, error: '"e"' });
      await rig.move(of("asleep"), { to: "ready", availableAt: T0 + 20, resuming: true, error: null });
      rig.now = T0 + 20;
      sameItems(await rig.claimIds(), ["retry", "asleep", "abandoned"], "all go on");
    },
  },
  {
    title: "claim() with the same token gives the same jobs, and claims no others",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"), newJob("c"));
      const first = await rig.claim({ token: "t", limit: 2 });
      equal(
        first.jobs.map(({ id }) => id),
        ["a", "b"],
        "first delivery",
      );
      const second = await rig.claim({ token: "t", limit: 2 });
      sameItems(
        second.jobs.map(({ id }) => id),
        ["a", "b"],
        "second delivery",
      );
      equal(
        second.jobs.map(({ attempt, claims }) => [attempt, claims]),
        [
          [1, 1],
          [1, 1],
        ],
        "counted once",
      );
      await rig.complete(first.jobs[0]!);
      equal(await rig.claimIds({ token: "t", limit: 2 }), ["b"], "only those still kept");
      equal(await rig.states("c"), ["ready"], "no others");
    },
  },
  {
    title: "claim() gives nothing of a paused queue until it is resumed",
    async run(rig) {
      await rig.enqueue(newJob("j"), newJob("other", { queue: "open" }));
      await rig.setQueues({ name: "q", paused: true, concurrency: null, rate: null });
      const reply = await rig.claim({ queues: ["q", "open"] });
      equal(
        reply.jobs.map(({ id }) => id),
        ["other"],
        "only the open queue",
      );
      equal((await rig.claim()).nextAt, null, "a paused queue promises nothing");
      await rig.setQueues({ name: "q", paused: false, concurrency: null, rate: null });
      equal(await rig.claimIds(), ["j"], "resumed");
    },
  },
  {
    title: "claim() tells when to come again: now when more is ready, later for time, null for nothing",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"), newJob("later", { availableAt: T0 + 40 }));
      ok((await rig.claim({ limit: 1 })).nextAt! <= rig.now, "more is ready");
      equal((await rig.claim({ limit: 1 })).nextAt, T0 + 40, "the delayed one");
      rig.now = T0 + 40;
      const last = await rig.claim();
      equal(last.nextAt, T0 + 30_000, "claims may run out");
      equal((await rig.claim({ queues: ["empty"] })).nextAt, null, "a queue with nothing");
      await rig.enqueue(newJob("unknown", { task: "unknown" }));
      equal((await rig.claim({ tasks: ["task"] })).nextAt, T0 + 30_000, "a job that it cannot run does not call it");
    },
  },
  {
    title: "claim() leaves alone what waits without timeout and what is over, however often it is asked",
    async run(rig) {
      await rig.enqueue(newJob("waits"), newJob("over"));
      const { jobs } = await rig.claim();
      await rig.move(jobs.find(({ id }) => id === "waits")!, { to: "waiting", availableAt: null, arrivals: 0 });
      await rig.complete(jobs.find(({ id }) => id === "over")!);
      rig.now += 365 * 86_400_000;
      const reply = await rig.claim();
      equal([reply.jobs.length, reply.nextAt], [0, null], "nothing");
    },
  },
  {
    title: "renew() prolongs the claims that are kept, and tells which are lost",
    async run(rig) {
      await rig.enqueue(newJob("kept"), newJob("done"), newJob("cancelled"), newJob("taken"));
      const { jobs } = await rig.claim({ token: "t", claimMs: 100 });
      const of = (id: string) => jobs.find((job) => job.id === id)!;
      await rig.complete(of("done"));
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["cancelled"], error: '"x"' });
      rig.now += 50;
      await rig.storage.renew({ now: rig.now, claimMs: 100, claims: [{ id: "kept", token: "t" }] });
      rig.now += 50;
      equal(await rig.claimIds({ token: "t2" }), ["taken"], "only what was not renewed is taken");
      const claims = ["kept", "done", "cancelled", "taken", "absent"].map((id) => ({ id, token: "t" }));
      equal((await rig.storage.renew({ now: rig.now, claimMs: 200, claims })).kept, ["kept"], "kept");
      equal((await rig.job("kept")).claimExpiresAt, rig.now + 200, "prolonged");
      equal((await rig.job("taken")).claimExpiresAt, rig.now + 30_000, "another's claim is untouched");
      equal((await rig.storage.renew({ now: rig.now, claimMs: 1, claims: [] })).kept, [], "an empty batch");
    },
  },
  {
    title: "renew() prolongs a claim that has run out but that nobody took",
    async run(rig) {
      const job = await rig.running("j");
      rig.now += 60_000;
      const claims = [{ id: "j", token: job.claimToken! }];
      equal((await rig.storage.renew({ now: rig.now, claimMs: 1000, claims })).kept, ["j"], "still kept");
      equal(await rig.claimIds(), [], "and safe again");
      rig.now += 1000;
      equal(await rig.claimIds(), ["j"], "until it runs out");
    },
  },
];
