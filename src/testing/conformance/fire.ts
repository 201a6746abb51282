/** What does an occurrence become? Cases about firing: the guards, the outcomes, the second delivery. */
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, jobIdOf, newJob, newOutcome, newSchedule, type Rig, T0, untimed } from "./rig.ts";

const HOUR = 3_600_000;

async function jobIds(rig: Rig): Promise<string[]> {
  return (await rig.storage.listJobs({ limit: 100 })).map(({ id }) => id);
}

/** Cases of `fire`. */
export const fireCases: readonly Case[] = [
  {
    title: "fire() moves the schedule on, records the outcome and inserts the job, all in one",
    async run(rig) {
      await rig.register(newSchedule("s", { failures: 2, skips: 1 }));
      const lease = await rig.lead();
      rig.now += 7;
      const before = await rig.schedule("s");
      const reply = await rig.fire({
        lease,
        firings: [rig.firing(before, { note: "x", state: "ended", nextAt: null, skips: 7 })],
      });
      equal(untimed(reply), { leads: true, fired: ["s"], jobs: [jobIdOf("s", T0)] }, "reply");
      equal(
        await rig.schedule("s"),
        {
          ...before,
          state: "ended",
          nextAt: null,
          note: "x",
          fired: 1,
          skips: 7,
          lastAt: T0,
          revision: before.revision + 1,
          updatedAt: rig.now,
        },
        "the schedule moved; definition, failures and creation stay",
      );
      equal(
        await rig.storage.listOccurrences({ schedule: "s", limit: 10 }),
        [newOutcome("s", T0, { jobId: jobIdOf("s", T0) })],
        "the outcome",
      );
      const job = await rig.job(jobIdOf("s", T0));
      equal([job.schedule, job.scheduledAt, job.state, job.createdAt], ["s", T0, "ready", rig.now], "the job");
    },
  },
  {
    title: "fire() under a lost lease does nothing at all",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const old = await rig.lead("a");
      rig.now += 15_000;
      await rig.lead("b");
      const before = await rig.schedule("s");
      const firings = [rig.firing(before)];
      equal(untimed(await rig.fire({ lease: old, firings })), { leads: false, fired: [], jobs: [] }, "an old term");
      const wrongHolder = { holder: "b", token: old.token };
      equal((await rig.fire({ lease: wrongHolder, firings, resign: true })).leads, false, "an old token");
      equal(await rig.schedule("s"), before, "the schedule is untouched");
      equal(await jobIds(rig), [], "no job");
      equal(await rig.storage.listOccurrences({ schedule: "s", limit: 10 }), [], "no outcome");
      equal((await rig.storage.stats({ now: rig.now })).lease?.holder, "b", "the lease is untouched");
    },
  },
  {
    title: "fire() under a lease that was given up, or before any was taken, does nothing",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const firings = [rig.firing(await rig.schedule("s"))];
      equal((await rig.fire({ lease: { holder: "a", token: 1 }, firings })).leads, false, "no lease yet");
      const lease = await rig.lead();
      await rig.storage.resign({ ...lease, now: rig.now });
      equal((await rig.fire({ lease, firings })).leads, false, "given up");
      equal(await jobIds(rig), [], "no job");
    },
  },
  {
    title: "fire() under a lease that has run out but that nobody took still counts: tokens decide, not clocks",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const lease = await rig.lead();
      rig.now += 600_000;
      const reply = await rig.fire({ lease, firings: [rig.firing(await rig.schedule("s"))] });
      equal(reply.fired, ["s"], "fired");
    },
  },
  {
    title: "fire() from another revision than the stored one leaves that schedule alone and moves the others",
    async run(rig) {
      await rig.register(newSchedule("moved"), newSchedule("still"));
      const lease = await rig.lead();
      const moved = await rig.schedule("moved");
      const still = await rig.schedule("still");
      await rig.put({
        puts: [{ revision: moved.revision, record: { ...moved, definition: "[]" }, jobs: [], occurrences: [] }],
      });
      const gone = rig.firing({ ...still, name: "gone" });
      const reply = await rig.fire({ lease, firings: [rig.firing(moved), rig.firing(still), gone] });
      equal(reply.leads, true, "leads");
      equal(reply.fired, ["still"], "only what was as it was read");
      equal(await jobIds(rig), [jobIdOf("still", T0)], "only its job");
      equal((await rig.schedule("moved")).nextAt, T0, "the other stays");
    },
  },
  {
    title: "fire() sent again with the same op changes nothing and gives the same answer",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const lease = await rig.lead();
      const request = { op: "same", lease, firings: [rig.firing(await rig.schedule("s"))] };
      const first = await rig.fire(request);
      const after = await rig.schedule("s");
      rig.now += 5;
      const second = await rig.fire(request);
      equal(second.fired, first.fired, "the same schedules");
      equal(second.jobs, first.jobs, "the same jobs");
      equal(await rig.schedule("s"), after, "the schedule did not move again");
      equal(await jobIds(rig), [jobIdOf("s", T0)], "still one job");
    },
  },
  {
    title: "fire() sent again after its schedule moved on still names the jobs that it inserted",
    async run(rig) {
      await rig.register(newSchedule("s"), newSchedule("t"));
      const request = {
        op: "same",
        firings: [rig.firing(await rig.schedule("s")), rig.firing(await rig.schedule("t"))],
      };
      await rig.fire(request);
      rig.now += 3_600_000;
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"))] });
      const again = await rig.fire(request);
      sameItems(again.jobs, [jobIdOf("s", T0), jobIdOf("t", T0)], "jobs");
      equal(again.fired, ["t"], "only the schedule that is where this fire put it");
    },
  },
  {
    title: "fire() sent again with another op (nobody knew it worked) fires nothing twice",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const lease = await rig.lead();
      const firings = [rig.firing(await rig.schedule("s"))];
      await rig.fire({ lease, firings });
      equal((await rig.fire({ lease, firings })).fired, [], "the revision has moved on");
      equal(await jobIds(rig), [jobIdOf("s", T0)], "one job");
    },
  },
  {
    title: "fire() gives an occurrence that has an outcome no second one and no job; the schedule still moves",
    async run(rig) {
      await rig.register(newSchedule("s"));
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"))] });
      const again = await rig.schedule("s");
      const next = T0 + HOUR;
      const reply = await rig.fire({
        firings: [
          rig.firing(again, {
            nextAt: next + HOUR,
            jobs: [
              newJob("second", { schedule: "s", scheduledAt: T0 }),
              newJob("fresh", { schedule: "s", scheduledAt: next }),
            ],
            occurrences: [newOutcome("s", T0, { jobId: "second" }), newOutcome("s", next, { jobId: "fresh" })],
          }),
        ],
      });
      equal(reply.fired, ["s"], "moved");
      equal(reply.jobs, ["fresh"], "only the new occurrence has a job");
      equal((await rig.schedule("s")).nextAt, next + HOUR, "moved on");
      sameItems(await jobIds(rig), [jobIdOf("s", T0), "fresh"], "jobs");
      const outcomes = await rig.storage.listOccurrences({ schedule: "s", limit: 10 });
      equal(
        outcomes.map(({ jobId }) => jobId),
        [jobIdOf("s", T0), "fresh"],
        "outcomes",
      );
    },
  },
  {
    title: "fire() keeps outcomes apart by schedule: the same instant of another one is its own",
    async run(rig) {
      await rig.register(newSchedule("a"), newSchedule("b"));
      const firings = [rig.firing(await rig.schedule("a")), rig.firing(await rig.schedule("b"))];
      const reply = await rig.fire({ firings });
      sameItems(reply.fired, ["a", "b"], "both");
      sameItems(reply.jobs, [jobIdOf("a", T0), jobIdOf("b", T0)], "both jobs");
    },
  },
  {
    title: "fire() inserts several jobs of one schedule, and jobs without occurrence (a trigger)",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const ats = [T0, T0 + 1, T0 + 2];
      await rig.fire({
        firings: [
          rig.firing(await rig.schedule("s"), {
            jobs: [
              ...ats.map((at) => newJob(`j${at - T0}`, { schedule: "s", scheduledAt: at })),
              newJob("trigger", { schedule: "s", scheduledAt: null }),
            ],
            occurrences: ats.map((at) => newOutcome("s", at, { jobId: `j${at - T0}` })),
          }),
        ],
      });
      sameItems(await jobIds(rig), ["j0", "j1", "j2", "trigger"], "all of them");
    },
  },
  {
    title: "fire() records runs of skipped occurrences with their reasons",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const run = newOutcome("s", T0, { untilAt: T0 + 9 * HOUR, count: 10, reason: "catch-up", recordedAt: T0 + 5 });
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"), { jobs: [], occurrences: [run] })] });
      equal(await rig.storage.listOccurrences({ schedule: "s", limit: 10 }), [run], "as it was given");
    },
  },
  {
    title: "fire() with cancelUnfinished cancels the schedule's unfinished jobs and theirs, but not the new ones",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const running = await rig.running("running", { schedule: "s", scheduledAt: T0 - HOUR });
      await rig.enqueue(
        newJob("ready", { schedule: "s", scheduledAt: T0 - 1 }),
        newJob("child", { parentId: "running" }),
        newJob("other", { schedule: "other", scheduledAt: T0 - 1 }),
        newJob("done", { queue: "q2", schedule: "s", scheduledAt: T0 - 2 }),
      );
      await rig.complete((await rig.claim({ queues: ["q2"] })).jobs[0]!);
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"), { cancelUnfinished: true })] });
      equal(
        await rig.states("running", "ready", "child", "other", "done", jobIdOf("s", T0)),
        ["cancelled", "cancelled", "cancelled", "ready", "completed", "ready"],
        "states",
      );
      equal((await rig.complete(running)).saved, [], "the claim of a cancelled job is lost");
      ok((await rig.job("ready")).error !== null, "a cancelled job says why");
    },
  },
  {
    title: "fire() with resign gives the lease up in the same batch",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const lease = await rig.lead();
      const reply = await rig.fire({ lease, firings: [rig.firing(await rig.schedule("s"))], resign: true });
      equal([reply.leads, reply.fired], [true, ["s"]], "fired under the lease");
      const next = await rig.tick({ holder: "b" });
      ok(next.leads && next.lease!.token > lease.token, "another leads at once");
    },
  },
  {
    title: "fire() with nothing to fire still answers whether the caller leads, and can resign",
    async run(rig) {
      const lease = await rig.lead();
      equal(untimed(await rig.fire({ lease })), { leads: true, fired: [], jobs: [] }, "leads");
      equal((await rig.fire({ lease, resign: true })).leads, true, "led until then");
      equal((await rig.fire({ lease })).leads, false, "leads no more");
    },
  },
  {
    title: "fire() without lease goes by revision alone, whoever leads",
    async run(rig) {
      await rig.register(newSchedule("s"));
      await rig.lead("somebody");
      const reply = await rig.fire({ lease: null, firings: [rig.firing(await rig.schedule("s"))] });
      equal([reply.leads, reply.fired], [true, ["s"]], "fired");
      equal((await rig.storage.stats({ now: rig.now })).lease?.holder, "somebody", "the lease stays");
    },
  },
  {
    title: "fire() carries as many schedules in one batch as the storage names, up to 1,000",
    async run(rig) {
      const count = Math.min(1000, rig.storage.capabilities.maxBatchRows);
      const names = Array.from({ length: count }, (_, i) => `s${String(i).padStart(4, "0")}`);
      await rig.register(...names.map((name) => newSchedule(name)));
      const begun = await rig.tick({ maxDue: count });
      equal(begun.due.length, count, "all due");
      const lease = { holder: "a", token: begun.lease!.token };
      const reply = await rig.fire({ lease, firings: begun.due.map((due) => rig.firing(due)) });
      equal(reply.fired.length, count, "all fired");
      equal(reply.jobs.length, count, "all jobs");
      const after = await rig.tick({ token: lease.token, maxDue: count });
      equal([after.due.length, after.nextAt], [0, T0 + HOUR], "none is due any more");
    },
  },
];
