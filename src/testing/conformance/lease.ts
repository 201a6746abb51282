/** Who leads? Cases about the lease: granting, renewing, takeover, the token, resigning. */
import { equal, ok } from "./assert.ts";
import { type Case, newJob, newSchedule, T0 } from "./rig.ts";

/** Cases of `beginTick`'s lease and `resign`. */
export const leaseCases: readonly Case[] = [
  {
    title: "beginTick() grants a lease that nobody holds, with the ttl asked for",
    async run(rig) {
      const reply = await rig.tick({ holder: "a", ttlMs: 15_000 });
      ok(reply.leads, "the first to ask leads");
      equal(reply.lease?.holder, "a", "holder");
      equal(reply.lease?.expiresAt, T0 + 15_000, "expiry");
      ok(Number.isInteger(reply.lease?.token) && reply.lease!.token > 0, "the token is a positive integer");
      equal(reply.due, [], "nothing is due");
      equal(reply.nextAt, null, "nothing comes");
      equal(reply.jobsAt, null, "no jobs");
    },
  },
  {
    title: "beginTick() refuses while another holds the lease, and shows whose it is",
    async run(rig) {
      await rig.register(newSchedule("s", { nextAt: T0 + 5 }));
      const { token } = await rig.lead("a");
      rig.now += 14_999;
      const reply = await rig.tick({ holder: "b" });
      equal(reply.leads, false, "b does not lead");
      equal(reply.lease, { holder: "a", token, expiresAt: T0 + 15_000 }, "the lease is untouched");
      equal(reply.due, [], "who does not lead reads nothing that is due");
      equal(reply.nextAt, T0 + 5, "who does not lead still learns when something is due");
    },
  },
  {
    title: "beginTick() renews for the current holder and token: the token stays",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now += 5_000;
      const reply = await rig.tick({ holder: "a", token });
      ok(reply.leads, "a still leads");
      equal(reply.lease, { holder: "a", token, expiresAt: T0 + 20_000 }, "renewed");
    },
  },
  {
    title: "beginTick() hands over a lease that has run out, exactly at its expiry, with a grown token",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now = T0 + 15_000;
      const reply = await rig.tick({ holder: "b" });
      ok(reply.leads, "b leads when expiresAt is reached");
      equal(reply.lease?.holder, "b", "holder");
      ok(reply.lease!.token > token, "the token grows");
    },
  },
  {
    title: "beginTick() renews a lease that has run out but that nobody took, with the same token",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now = T0 + 60_000;
      const reply = await rig.tick({ holder: "a", token });
      ok(reply.leads, "a leads");
      equal(reply.lease, { holder: "a", token, expiresAt: T0 + 75_000 }, "the same term goes on");
    },
  },
  {
    title: "beginTick() with a stale token does not lead while another holds the lease",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now = T0 + 20_000;
      const taken = await rig.lead("b");
      rig.now += 1;
      const reply = await rig.tick({ holder: "a", token });
      equal(reply.leads, false, "the old leader is not taken back");
      equal(reply.lease?.holder, "b", "holder");
      equal(reply.lease?.token, taken.token, "token");
    },
  },
  {
    title: "beginTick() for a new term of the same holder is granted again, with a grown token (a reply was lost)",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now += 1;
      const reply = await rig.tick({ holder: "a", token: null });
      ok(reply.leads, "a leads");
      ok(reply.lease!.token > token, "the token grows");
      equal((await rig.tick({ holder: "a", token })).leads, false, "the term before it is over");
      ok((await rig.tick({ holder: "a", token: reply.lease!.token })).leads, "the new term holds");
    },
  },
  {
    title: "the lease's token never goes back: not over resigning, idle ticks or many holders",
    async run(rig) {
      let last = 0;
      for (let round = 0; round < 6; round++) {
        const holder = round % 2 === 0 ? "a" : "b";
        const reply = await rig.tick({ holder, resignIfIdle: round % 3 === 0 });
        ok(reply.leads, `${holder} leads in round ${round}`);
        if (reply.lease) {
          ok(reply.lease.token > last, "the token grows with each term");
          last = reply.lease.token;
          ok(await rig.storage.resign({ holder, token: last, now: rig.now }), "resigned");
        } else last++;
        rig.now += 1;
      }
    },
  },
  {
    title: "resign() gives the lease up, so that another leads at once",
    async run(rig) {
      const { token } = await rig.lead("a");
      equal(await rig.storage.resign({ holder: "a", token, now: rig.now }), true, "given up");
      equal((await rig.storage.stats({ now: rig.now })).lease, null, "nobody leads");
      const reply = await rig.tick({ holder: "b" });
      ok(reply.leads && reply.lease!.token > token, "b leads with a grown token");
    },
  },
  {
    title: "resign() of a lost or unknown term is false and changes nothing",
    async run(rig) {
      const { token } = await rig.lead("a");
      rig.now += 15_000;
      const b = await rig.lead("b");
      equal(await rig.storage.resign({ holder: "a", token, now: rig.now }), false, "an old term");
      equal(await rig.storage.resign({ holder: "b", token, now: rig.now }), false, "the right holder, an old token");
      equal(await rig.storage.resign({ holder: "a", token: b.token, now: rig.now }), false, "the wrong holder");
      ok((await rig.tick(b)).leads, "b still leads");
      ok(await rig.storage.resign({ ...b, now: rig.now }), "b resigns");
      equal(await rig.storage.resign({ ...b, now: rig.now }), false, "the second time there is nothing to give up");
    },
  },
  {
    title: "beginTick() with resignIfIdle gives the lease up when nothing is due, and keeps it when something is",
    async run(rig) {
      await rig.register(newSchedule("s", { nextAt: T0 + 1 }));
      const idle = await rig.tick({ resignIfIdle: true });
      equal(idle.leads, true, "it led");
      equal(idle.lease, null, "it gave the lease up");
      equal(idle.nextAt, T0 + 1, "when to come again");
      rig.now += 1;
      const busy = await rig.tick({ holder: "b", resignIfIdle: true });
      ok(busy.leads && busy.lease?.holder === "b", "b keeps the lease to fire");
      equal(
        busy.due.map(({ name }) => name),
        ["s"],
        "what is due",
      );
      const refused = await rig.tick({ holder: "c", resignIfIdle: true });
      equal([refused.leads, refused.lease?.holder], [false, "b"], "who does not lead cannot give up another's lease");
    },
  },
  {
    title: "beginTick() reads due active schedules, oldest first, at most maxDue, and the next after them",
    async run(rig) {
      await rig.register(
        newSchedule("late", { nextAt: T0 - 5 }),
        newSchedule("later", { nextAt: T0 - 10, watchesJobs: true }),
        newSchedule("now", { nextAt: T0 }),
        newSchedule("soon", { nextAt: T0 + 1 }),
        newSchedule("paused", { nextAt: T0 - 100, state: "paused", note: "because" }),
        newSchedule("ended", { nextAt: null, state: "ended" }),
        newSchedule("broken", { nextAt: T0 - 100, state: "broken", note: "unreadable" }),
      );
      const all = await rig.tick();
      equal(
        all.due.map(({ name }) => name),
        ["later", "late", "now"],
        "due, boundary included",
      );
      equal(all.nextAt, T0 + 1, "the next one that is not due");
      const { busy, ...record } = all.due[1]!;
      equal(busy, false, "not busy");
      equal(record, await rig.schedule("late"), "a due schedule is the stored record");
      const some = await rig.tick({ token: all.lease!.token, maxDue: 2 });
      equal(
        some.due.map(({ name }) => name),
        ["later", "late"],
        "the oldest two",
      );
      equal(some.nextAt, T0, "the third is due already");
    },
  },
  {
    title: "beginTick() tells which watching schedules have an unfinished job",
    async run(rig) {
      const jobs = ["watched", "settled", "unwatched"].map((name) => newJob(name, { schedule: name, scheduledAt: T0 }));
      await rig.register(
        newSchedule("watched", { watchesJobs: true }),
        newSchedule("settled", { watchesJobs: true }),
        newSchedule("unwatched"),
      );
      await rig.enqueue(...jobs);
      const busy = async (): Promise<Record<string, boolean>> =>
        Object.fromEntries((await rig.tick()).due.map((due) => [due.name, due.busy]));
      equal(await busy(), { watched: true, settled: true, unwatched: false }, "ready jobs are unfinished");
      const claimed = await rig.claim();
      equal(await busy(), { watched: true, settled: true, unwatched: false }, "running ones too");
      const [settled, watched] = ["settled", "watched"].map((id) => claimed.jobs.find((job) => job.id === id)!);
      await rig.complete(settled!);
      await rig.move(watched!, { to: "waiting", availableAt: null, arrivals: 0 });
      equal(await busy(), { watched: true, settled: false, unwatched: false }, "waiting ones too, finished ones not");
    },
  },
  {
    title: "beginTick() tells when a job could be claimed: now, later, when a claim runs out, never",
    async run(rig) {
      const jobsAt = async (): Promise<number | null> => (await rig.tick()).jobsAt;
      await rig.enqueue(newJob("later", { availableAt: T0 + 500 }));
      equal(await jobsAt(), T0 + 500, "a delayed job");
      await rig.enqueue(newJob("now"));
      ok((await jobsAt())! <= T0, "a ready job");
      const [now] = (await rig.claim()).jobs;
      equal(await jobsAt(), T0 + 500, "the running one comes later than the delayed one");
      rig.now = T0 + 500;
      const [later] = (await rig.claim()).jobs;
      equal(await jobsAt(), T0 + 30_000, "the claim that runs out first");
      rig.now = T0 + 30_000;
      ok((await jobsAt())! <= rig.now, "a claim that has run out");
      await rig.save([now!, later!].map((job) => rig.write(job, { transition: { to: "completed", result: "1" } })));
      equal(await jobsAt(), null, "nothing waits for time");
    },
  },
  {
    title: "beginTick() does not count what stands in a paused queue, nor what waits without a timeout",
    async run(rig) {
      await rig.setQueues({ name: "shut", paused: true, concurrency: null, rate: null });
      await rig.enqueue(newJob("shut", { queue: "shut" }), newJob("open"));
      const [open] = (await rig.claim()).jobs;
      await rig.move(open!, { to: "waiting", availableAt: null, arrivals: 0 });
      equal((await rig.tick()).jobsAt, null, "neither can be claimed by the passing of time");
      await rig.setQueues({ name: "shut", paused: false, concurrency: null, rate: null });
      ok((await rig.tick()).jobsAt! <= rig.now, "the queue is open again");
    },
  },
];
