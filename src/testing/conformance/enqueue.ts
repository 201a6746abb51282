/** How do jobs come in, and how are they read back? Cases about enqueueing, lists and payloads. */
import type { JobRecord, ListJobsRequest } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newSchedule, newStep, T0, untimed } from "./rig.ts";

/** Text that breaks whoever builds SQL or JSON by hand. */
const HOSTILE = `'; DROP TABLE jobs; -- "quoted" \\back\\slash \n\r\t\u0001 {"a":[1,"\\u0000"]} $1 ?1 :name @p \u2028 \u{1f514} ﷽ é e\u0301 %s %_`;

/** Cases of `enqueue`, `getJob` and `listJobs`. */
export const enqueueCases: readonly Case[] = [
  {
    title: "enqueue() stores a job as it is given, ready and never tried",
    async run(rig) {
      const job = newJob("j1", {
        task: "mail",
        queue: "slow",
        priority: -3,
        availableAt: T0 + 5,
        expiresAt: T0 + 50,
        key: "k",
        input: '{"a":1}',
        options: '{"retry":2}',
        schedule: "s",
        scheduledAt: T0 - 5,
        parentId: "p",
      });
      rig.now += 3;
      equal(untimed(await rig.enqueue(job)), { jobs: [{ id: "j1", created: true }] }, "reply");
      const { limit: _, ...given } = job;
      equal<unknown>(
        await rig.storage.getJob({ id: "j1" }),
        {
          ...given,
          state: "ready",
          limitKey: null,
          held: false,
          attempt: 0,
          claims: 0,
          arrivals: 0,
          claimToken: null,
          claimExpiresAt: null,
          worker: null,
          result: null,
          error: null,
          progress: null,
          notes: null,
          createdAt: rig.now,
          startedAt: null,
          finishedAt: null,
          steps: [],
          signals: [],
          children: [],
        },
        "the stored job",
      );
      equal(await rig.storage.getJob({ id: "absent" }), null, "no such job");
    },
  },
  {
    title: "enqueue() leaves a job whose id is stored as it is",
    async run(rig) {
      await rig.enqueue(newJob("j", { input: "1" }));
      const reply = await rig.enqueue(newJob("j", { input: "2", queue: "other" }));
      equal(reply.jobs, [{ id: "j", created: false }], "reply");
      equal((await rig.job("j")).input, "1", "the first stays");
    },
  },
  {
    title: "enqueue() with a key that its task has stored gives that job, whatever its state",
    async run(rig) {
      await rig.enqueue(newJob("first", { key: "k" }));
      equal((await rig.enqueue(newJob("second", { key: "k" }))).jobs, [{ id: "first", created: false }], "ready");
      await rig.complete((await rig.claim()).jobs[0]!);
      equal((await rig.enqueue(newJob("third", { key: "k" }))).jobs, [{ id: "first", created: false }], "completed");
      equal(
        (await rig.enqueue(newJob("other", { key: "k", task: "other" }))).jobs,
        [{ id: "other", created: true }],
        "another task",
      );
      equal(
        (await rig.enqueue(newJob("K", { key: "K" }))).jobs,
        [{ id: "K", created: true }],
        "keys are compared byte for byte",
      );
      await rig.storage.purge({ now: T0, finishedBefore: T0 + 1, failedBefore: 0, occurrencesBefore: 0, limit: 10 });
      equal(
        (await rig.enqueue(newJob("fourth", { key: "k" }))).jobs,
        [{ id: "fourth", created: true }],
        "free again after the purge",
      );
    },
  },
  {
    title: "enqueue() of two jobs with one key in one batch makes one",
    async run(rig) {
      const reply = await rig.enqueue(newJob("a", { key: "k" }), newJob("b", { key: "k" }), newJob("c"));
      equal(
        reply.jobs,
        [
          { id: "a", created: true },
          { id: "a", created: false },
          { id: "c", created: true },
        ],
        "reply",
      );
      equal(await rig.states("a", "b", "c"), ["ready", "absent", "ready"], "stored");
    },
  },
  {
    title: "enqueue() answers in the order asked, created and known ones mixed",
    async run(rig) {
      await rig.enqueue(newJob("known", { key: "x" }));
      const reply = await rig.enqueue(
        newJob("z"),
        newJob("a", { key: "x" }),
        newJob("m"),
        newJob("known"),
        newJob("b"),
      );
      equal(
        reply.jobs.map(({ id }) => id),
        ["z", "known", "m", "known", "b"],
        "ids",
      );
      equal(
        reply.jobs.map(({ created }) => created),
        [true, false, true, false, true],
        "created",
      );
      equal((await rig.enqueue()).jobs, [], "an empty batch");
    },
  },
  {
    title: "enqueue() sent again with the same op changes nothing and answers as before",
    async run(rig) {
      const request = {
        op: "same",
        now: T0,
        jobs: [newJob("a", { key: "k" }), newJob("b", { limit: { key: "l", concurrency: 1, rate: null } })],
      };
      const first = await rig.storage.enqueue(request);
      equal(untimed(await rig.storage.enqueue(request)), untimed(first), "the same answer");
      equal((await rig.claim()).jobs.length, 2, "two jobs, claimed once");
      equal(
        (await rig.storage.enqueue(request)).jobs.map(({ id }) => id),
        ["a", "b"],
        "still the same ids",
      );
      equal((await rig.job("a")).attempt, 1, "untouched");
    },
  },
  {
    title: "enqueue() takes as many jobs in one batch as the storage names, up to 1,000",
    async run(rig) {
      const count = Math.min(1000, rig.storage.capabilities.maxBatchRows);
      const jobs = Array.from({ length: count }, (_, i) =>
        newJob(`j${String(i).padStart(4, "0")}`, { key: `k${i}`, input: String(i) }),
      );
      const reply = await rig.enqueue(...jobs);
      equal(
        reply.jobs,
        jobs.map(({ id }) => ({ id, created: true })),
        "all created, in order",
      );
      const listed = await rig.storage.listJobs({ limit: count + 1 });
      equal(
        listed.map(({ input }) => Number(input)),
        jobs.map((_, i) => count - 1 - i),
        "all stored",
      );
      equal((await rig.claimIds({ limit: count })).length, count, "all claimed in one batch");
    },
  },
  {
    title: "payloads come back byte for byte: unicode, control characters, quotes, JSON in JSON, 256 KiB",
    async run(rig) {
      const large = `"${"0123456789abcdef".repeat(16 * 1024)}"`;
      await rig.enqueue(
        newJob("hostile", {
          input: HOSTILE,
          options: HOSTILE,
          key: HOSTILE,
          task: HOSTILE,
          queue: HOSTILE,
          schedule: HOSTILE,
          scheduledAt: T0,
        }),
        newJob("large", { input: large }),
        newJob("empty", { input: "", options: "" }),
      );
      const { jobs } = await rig.claim({ queues: [HOSTILE], tasks: [HOSTILE] });
      const hostile = jobs[0]!;
      equal(
        [hostile.input, hostile.options, hostile.key, hostile.task, hostile.queue, hostile.schedule],
        Array(6).fill(HOSTILE),
        "claimed",
      );
      const steps = [
        newStep("hostile", HOSTILE, { output: HOSTILE, error: HOSTILE, childId: HOSTILE, signalKey: HOSTILE }),
        newStep("hostile", "large", { output: large }),
      ];
      await rig.storage.signal({
        now: T0,
        signals: [{ jobId: "hostile", name: HOSTILE, key: HOSTILE, payload: HOSTILE }],
      });
      await rig.save([
        rig.write(hostile, {
          steps,
          progress: HOSTILE,
          notes: HOSTILE,
          transition: { to: "completed", result: HOSTILE },
        }),
      ]);
      const stored = await rig.job("hostile");
      equal(
        [stored.result, stored.progress, stored.notes, stored.signals[0]!.payload, stored.signals[0]!.name],
        Array(5).fill(HOSTILE),
        "stored",
      );
      equal(
        stored.steps.find(({ name }) => name === HOSTILE),
        steps[0],
        "the step",
      );
      equal(stored.steps.find(({ name }) => name === "large")?.output, large, "the large output");
      equal((await rig.job("large")).input, large, "the large input");
      equal([(await rig.job("empty")).input, (await rig.job("empty")).options], ["", ""], "the empty text is not null");
      equal((await rig.enqueue(newJob("x", { task: HOSTILE, key: HOSTILE }))).jobs[0]!.id, "hostile", "found by key");
    },
  },
  {
    title: "numbers come back as the integers they were, in instants, priorities and rates",
    async run(rig) {
      const far = 253_402_300_799_999; // the last ms of the year 9999
      await rig.enqueue(
        newJob("max", { priority: 2_147_483_647, availableAt: 1, expiresAt: far, scheduledAt: far, schedule: "s" }),
        newJob("min", { priority: -2_147_483_648, availableAt: 0 }),
      );
      await rig.setQueues({
        name: "q",
        paused: false,
        concurrency: 1_000_000,
        rate: { count: 1_000_000, perMs: 86_400_000 },
      });
      const [max, min] = (await rig.claim({ claimMs: 1 })).jobs;
      equal([max!.priority, max!.expiresAt, max!.scheduledAt], [2_147_483_647, far, far], "the largest");
      equal([min!.priority, min!.availableAt], [-2_147_483_648, 0], "the smallest");
      for (const [field, value] of Object.entries(max!) as [keyof JobRecord, unknown][]) {
        if (typeof value === "number")
          ok(Number.isInteger(value) && !Object.is(value, -0), `${field} should be an integer, is ${value}`);
      }
      equal(
        await rig.storage.listQueues(),
        [{ name: "q", paused: false, concurrency: 1_000_000, rate: { count: 1_000_000, perMs: 86_400_000 } }],
        "queue",
      );
      await rig.save([
        rig.write(max!, {
          steps: [newStep("max", "s", { seq: 12_345, attempt: 3, wakeAt: far, state: "pending", finishedAt: null })],
        }),
      ]);
      equal((await rig.job("max")).steps[0]!.wakeAt, far, "a step's instant");
      await rig.register(newSchedule("s", { nextAt: far, fired: 4_294_967_296 }));
      equal(
        [(await rig.schedule("s")).nextAt, (await rig.schedule("s")).fired],
        [far, 4_294_967_296],
        "a schedule's numbers",
      );
      const page = await rig.storage.exportPage({ cursor: null, limit: 100 });
      ok(!JSON.stringify(page.page.rows).includes(".0"), "no 1.0 in what is exported");
    },
  },
  {
    title: "listJobs() filters by state, queue, task, schedule, parent and key, newest first, in pages",
    async run(rig) {
      await rig.enqueue(
        newJob("j1", { queue: "a", task: "x", schedule: "s", scheduledAt: T0 }),
        newJob("j2", { queue: "b", task: "x", key: "k" }),
        newJob("j3", { queue: "a", task: "y", parentId: "j1" }),
        newJob("j4", { queue: "a", task: "x", key: "k2" }),
      );
      const claimed = await rig.claim({ queues: ["a"], limit: 2 });
      equal(
        claimed.jobs.map(({ id }) => id),
        ["j1", "j3"],
        "claimed",
      );
      await rig.fail(claimed.jobs[1]!);
      const ids = async (given: Omit<ListJobsRequest, "limit">, limit = 10): Promise<string[]> =>
        (await rig.storage.listJobs({ ...given, limit })).map(({ id }) => id);
      equal(await ids({}), ["j4", "j3", "j2", "j1"], "all");
      equal(await ids({}, 2), ["j4", "j3"], "a page");
      equal(await ids({ before: "j3" }, 2), ["j2", "j1"], "the next page");
      equal(await ids({ before: "j1" }), [], "the end");
      equal(await ids({ states: ["running", "failed"] }), ["j3", "j1"], "by states");
      equal(await ids({ states: [] }), [], "no states, nothing");
      equal(await ids({ queue: "a" }), ["j4", "j3", "j1"], "by queue");
      equal(await ids({ task: "x" }), ["j4", "j2", "j1"], "by task");
      equal(await ids({ schedule: "s" }), ["j1"], "by schedule");
      equal(await ids({ parentId: "j1" }), ["j3"], "by parent");
      equal(await ids({ key: "k" }), ["j2"], "by key");
      equal(await ids({ queue: "a", task: "x", states: ["ready"], before: "j9" }), ["j4"], "all together");
      const [listed] = await rig.storage.listJobs({ schedule: "s", limit: 1 });
      const { steps: _, signals: __, children: ___, ...record } = await rig.job("j1");
      equal(listed, record, "a listed job is the record without its history");
    },
  },
  {
    title: "replies are copies: changing one changes nothing stored, nor does changing a request afterwards",
    async run(rig) {
      const asked = newJob("j", { limit: { key: "l", concurrency: 2, rate: { count: 5, perMs: 1000 } } });
      await rig.enqueue(asked);
      asked.input = "changed";
      asked.limit!.rate!.count = 0;
      const [claimed] = (await rig.claim()).jobs;
      const step = newStep("j", "s");
      await rig.save([rig.write(claimed!, { steps: [step] })]);
      step.output = "changed";
      claimed!.state = "failed";
      claimed!.steps.push(step);
      const read = await rig.job("j");
      read.steps[0]!.output = "changed";
      read.arrivals = 99;
      const after = await rig.job("j");
      equal(
        [after.input, after.state, after.arrivals, after.steps.length, after.steps[0]!.output],
        ["null", "running", 0, 1, '"out"'],
        "stored",
      );
      await rig.enqueue(newJob("j2", { limit: { key: "l", concurrency: 2, rate: { count: 5, perMs: 1000 } } }));
      sameItems(await rig.claimIds(), ["j2"], "the limit is what was given");
    },
  },
];
