/** How are schedules written and read? Cases about putting, removing, owners and lists. */
import type { ScheduleRecord } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newOutcome, newSchedule, type Rig, T0, untimed } from "./rig.ts";

type Put = Parameters<Rig["put"]>[0];

function puts(record: ScheduleRecord, revision: number | null): Put {
  return { puts: [{ revision, record, jobs: [], occurrences: [] }] };
}

/** Cases of `putSchedules`, `listSchedules` and `listOccurrences`. */
export const scheduleCases: readonly Case[] = [
  {
    title: "putSchedules() creates a schedule as it is given, at revision 1",
    async run(rig) {
      const record = newSchedule("s", {
        definition: '{"expression":"* * * * *"}',
        state: "paused",
        nextAt: T0 + 1,
        revision: 99,
        fired: 3,
        skips: 4,
        failures: 2,
        pauseAfterFailures: 5,
        watchesJobs: true,
        lastAt: T0 - 1,
        note: "by hand",
        owner: "me",
        createdAt: T0 - 10,
        updatedAt: T0 - 9,
      });
      const reply = await rig.put(puts(record, null));
      equal(untimed(reply), { current: true, written: ["s"], removed: [] }, "reply");
      equal(await rig.schedule("s"), { ...record, revision: 1 }, "stored");
      const bare = newSchedule("bare", { state: "ended", nextAt: null });
      await rig.register(bare);
      equal(await rig.schedule("bare"), { ...bare, revision: 1 }, "with all its nulls");
    },
  },
  {
    title: "putSchedules() replaces a schedule from the revision that was read, and counts it up by one",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const record = newSchedule("s", {
        definition: '{"new":1}',
        state: "ended",
        nextAt: null,
        note: "n",
        revision: 7,
      });
      equal((await rig.put(puts(record, 1))).written, ["s"], "written");
      equal(await rig.schedule("s"), { ...record, revision: 2 }, "replaced as a whole");
    },
  },
  {
    title: "putSchedules() writes nothing from another revision, nor over what should not be there",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const changed = newSchedule("s", { definition: "changed" });
      const put = { jobs: [newJob("j")], occurrences: [newOutcome("s", T0, { reason: "paused" })] };
      for (const revision of [0, 2, null]) {
        const reply = await rig.put({ puts: [{ ...put, revision, record: changed }] });
        equal(untimed(reply), { current: true, written: [], removed: [] }, `from revision ${revision}`);
      }
      const absent = await rig.put({ puts: [{ ...put, revision: 1, record: newSchedule("absent") }] });
      equal(absent.written, [], "a revision of what is not there");
      equal(await rig.schedule("s"), newSchedule("s", { revision: 1 }), "untouched");
      equal((await rig.storage.listJobs({ limit: 10 })).length, 0, "a lost put brings no jobs");
      equal((await rig.storage.listOccurrences({ schedule: "s", limit: 10 })).length, 0, "and no outcomes");
    },
  },
  {
    title: "putSchedules() writes each schedule by itself: one that lost does not stop the others",
    async run(rig) {
      await rig.register(newSchedule("a"), newSchedule("b"));
      const reply = await rig.put({
        puts: [
          { revision: 5, record: newSchedule("a", { definition: "x" }), jobs: [], occurrences: [] },
          { revision: 1, record: newSchedule("b", { definition: "x" }), jobs: [], occurrences: [] },
          { revision: null, record: newSchedule("c"), jobs: [], occurrences: [] },
        ],
        removes: [{ name: "a", revision: 5 }],
      });
      sameItems(reply.written, ["b", "c"], "written");
      equal(reply.removed, [], "nothing removed");
      equal((await rig.schedule("a")).definition, "{}", "a is untouched");
    },
  },
  {
    title: "putSchedules() sent again with the same op changes nothing and answers as before",
    async run(rig) {
      const create = { op: "create", ...puts(newSchedule("s"), null) };
      await rig.put(create);
      equal((await rig.put(create)).written, ["s"], "created again");
      equal((await rig.schedule("s")).revision, 1, "still revision 1");
      const update = { op: "update", ...puts(newSchedule("s", { definition: "x" }), 1) };
      await rig.put(update);
      equal((await rig.put(update)).written, ["s"], "updated again");
      equal((await rig.schedule("s")).revision, 2, "still revision 2");
      equal((await rig.put(create)).written, [], "an older batch comes late and finds another's revision");
    },
  },
  {
    // Found that the memory storage recorded the outcomes anew.
    title: "putSchedules() sent again after a purge brings back no outcome",
    async run(rig) {
      const outcome = newOutcome("s", T0, { reason: "paused" });
      const request = {
        op: "same",
        puts: [{ revision: null, record: newSchedule("s"), jobs: [], occurrences: [outcome] }],
      };
      await rig.put(request);
      await rig.storage.purge({
        now: T0,
        finishedBefore: 0,
        failedBefore: 0,
        occurrencesBefore: T0 + 1,
        limit: 10,
      });
      equal((await rig.put(request)).written, ["s"], "as before");
      equal(await rig.storage.listOccurrences({ schedule: "s", limit: 10 }), [], "still gone");
    },
  },
  {
    title: "putSchedules() decides outcomes and jobs with the change, once for each occurrence",
    async run(rig) {
      await rig.register(newSchedule("s"));
      const [first, second] = [T0, T0 + 1].map((at) => newJob(`j${at - T0}`, { schedule: "s", scheduledAt: at }));
      await rig.fire({
        firings: [
          rig.firing(await rig.schedule("s"), { jobs: [first!], occurrences: [newOutcome("s", T0, { jobId: "j0" })] }),
        ],
      });
      const record = await rig.schedule("s");
      const skipped = newOutcome("s", T0 + 2, { untilAt: T0 + 5, count: 4, reason: "paused" });
      await rig.put({
        puts: [
          {
            revision: record.revision,
            record: { ...record, state: "active", nextAt: T0 + 100 },
            jobs: [newJob("again", { schedule: "s", scheduledAt: T0 }), second!],
            occurrences: [newOutcome("s", T0, { jobId: "again" }), newOutcome("s", T0 + 1, { jobId: "j1" }), skipped],
          },
        ],
      });
      sameItems(
        (await rig.storage.listJobs({ limit: 10 })).map(({ id }) => id),
        ["j0", "j1"],
        "jobs",
      );
      const outcomes = await rig.storage.listOccurrences({ schedule: "s", limit: 10 });
      equal(
        outcomes.map(({ jobId }) => jobId),
        ["j0", "j1", null],
        "outcomes",
      );
      equal(outcomes[2], skipped, "the skipped run");
    },
  },
  {
    title: "putSchedules() removes at the revision that was read; jobs and outcomes stay",
    async run(rig) {
      await rig.register(newSchedule("s"), newSchedule("kept"));
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"))] });
      const removes = [{ name: "s", revision: 1 }];
      equal((await rig.put({ removes })).removed, [], "it has moved since");
      const { revision } = await rig.schedule("s");
      equal(
        (
          await rig.put({
            removes: [
              { name: "s", revision },
              { name: "absent", revision: 1 },
            ],
          })
        ).removed,
        ["s"],
        "gone",
      );
      equal(
        (await rig.storage.listSchedules({ limit: 10 })).map(({ name }) => name),
        ["kept"],
        "the other is kept",
      );
      equal((await rig.storage.listJobs({ limit: 10 })).length, 1, "its job stays");
      equal((await rig.storage.listOccurrences({ schedule: "s", limit: 10 })).length, 1, "its outcome stays");
      equal(
        (await rig.tick()).due.map(({ name }) => name),
        ["kept"],
        "it is not due any more",
      );
      await rig.register(newSchedule("s", { nextAt: T0 }));
      await rig.fire({ firings: [rig.firing(await rig.schedule("s"))] });
      equal(
        (await rig.storage.listJobs({ limit: 10 })).length,
        1,
        "registered again, the same occurrence fires no second time",
      );
    },
  },
  {
    title: "putSchedules() lets an older generation of an owner neither write nor remove",
    async run(rig) {
      const sync = (generation: number, put: Put): ReturnType<Rig["put"]> =>
        rig.put({ ...put, owner: { owner: "app", generation } });
      equal((await sync(2, puts(newSchedule("s", { owner: "app" }), null))).current, true, "the first");
      const old = { ...puts(newSchedule("old", { owner: "app" }), null), removes: [{ name: "s", revision: 1 }] };
      equal(untimed(await sync(1, old)), { current: false, written: [], removed: [] }, "an older one");
      sameItems(
        (await rig.storage.listSchedules({ limit: 10 })).map(({ name }) => name),
        ["s"],
        "nothing happened",
      );
      equal((await sync(2, {})).current, true, "the same again");
      equal((await sync(3, { removes: [{ name: "s", revision: 1 }] })).removed, ["s"], "a newer one");
      equal((await sync(2, {})).current, false, "the one before is old now");
      const late = { op: "late", ...puts(newSchedule("l", { owner: "app" }), null) };
      equal((await sync(3, late)).written, ["l"], "written");
      await sync(4, {});
      equal(untimed(await sync(3, late)), { current: false, written: [], removed: [] }, "sent again, it is old too");
      equal(
        (await rig.put({ ...puts(newSchedule("s"), null), owner: { owner: "other", generation: 1 } })).written,
        ["s"],
        "another owner",
      );
      equal((await rig.put(puts(newSchedule("free"), null))).current, true, "outside sync no generation counts");
    },
  },
  {
    title: "listSchedules() filters by names, owner, state and skips, in order of name, in pages",
    async run(rig) {
      await rig.register(
        newSchedule("b", { owner: "x" }),
        newSchedule("a", { state: "paused", owner: "x", note: "n", skips: 3 }),
        newSchedule("c", { skips: 2 }),
        newSchedule("D", { owner: "y", skips: 5 }),
      );
      const names = async (
        request: Omit<Parameters<typeof rig.storage.listSchedules>[0], "limit">,
        limit = 10,
      ): Promise<string[]> => (await rig.storage.listSchedules({ ...request, limit })).map(({ name }) => name);
      equal(await names({}), ["D", "a", "b", "c"], "byte order");
      equal(await names({}, 2), ["D", "a"], "a page");
      equal(await names({ after: "a" }, 2), ["b", "c"], "the next page");
      equal(await names({ after: "c" }), [], "the end");
      equal(await names({ names: ["c", "a", "absent", "c"] }), ["a", "c"], "by names");
      equal(await names({ names: [] }), [], "no names, nothing");
      equal(await names({ owner: "x" }), ["a", "b"], "by owner");
      equal(await names({ state: "paused" }), ["a"], "by state");
      equal(await names({ minSkips: 3 }), ["D", "a"], "by skips");
      equal(await names({ minSkips: 3, state: "active" }), ["D"], "by skips and state");
      equal(await names({ owner: "x", state: "active", names: ["a", "b", "c"], after: "a" }), ["b"], "all together");
    },
  },
  {
    title: "names are compared byte for byte: case, accents and code points beyond 16 bits",
    async run(rig) {
      // In UTF-16 the last two would stand the other way round.
      const names = ["A", "a", "a b", "e\u0301", "z", "\u00e9", "\uffee", "\u{1f514}"];
      await rig.register(...[...names].reverse().map((name) => newSchedule(name)));
      equal(
        (await rig.storage.listSchedules({ limit: 10 })).map(({ name }) => name),
        names,
        "order",
      );
      equal((await rig.schedule("\u00e9")).name, "\u00e9", "no normalisation");
      equal(
        (await rig.storage.listSchedules({ after: "\uffee", limit: 10 })).map(({ name }) => name),
        ["\u{1f514}"],
        "after",
      );
      equal(
        (await rig.tick()).due.map(({ name }) => name),
        names,
        "ties of nextAt go by name",
      );
    },
  },
  {
    title: "listOccurrences() gives the outcomes of one schedule in an interval, oldest or newest first",
    async run(rig) {
      const outcomes = [
        newOutcome("s", T0, { reason: "overlap" }),
        newOutcome("s", T0 + 10, { untilAt: T0 + 19, count: 10, reason: "paused" }),
        newOutcome("s", T0 + 20, { jobId: "j" }),
        newOutcome("s", T0 + 30, { reason: "excluded" }),
      ];
      await rig.put({
        puts: [
          { revision: null, record: newSchedule("s"), jobs: [], occurrences: [...outcomes].reverse() },
          { revision: null, record: newSchedule("t"), jobs: [], occurrences: [newOutcome("t", T0)] },
        ],
      });
      const list = async (given: {
        from?: number;
        to?: number;
        newestFirst?: boolean;
        limit?: number;
      }): Promise<number[]> =>
        (await rig.storage.listOccurrences({ schedule: "s", limit: 10, ...given })).map(({ at }) => at - T0);
      equal(await rig.storage.listOccurrences({ schedule: "s", limit: 10 }), outcomes, "all, as they were recorded");
      equal(await list({ newestFirst: true }), [30, 20, 10, 0], "newest first");
      equal(await list({ limit: 2 }), [0, 10], "the oldest two");
      equal(await list({ newestFirst: true, limit: 1 }), [30], "the newest");
      equal(await list({ from: T0 + 19 }), [10, 20, 30], "a run that ends at `from` counts");
      equal(await list({ from: T0 + 20 }), [20, 30], "one that ended before does not");
      equal(await list({ to: T0 + 10 }), [0, 10], "a run that begins at `to` counts");
      equal(await list({ from: T0 + 12, to: T0 + 13 }), [10], "a run around the interval counts");
      equal(await rig.storage.listOccurrences({ schedule: "absent", limit: 10 }), [], "of an unknown schedule");
    },
  },
  {
    title: "putSchedules() writes as many rows in one batch as the storage names, up to 1,000",
    async run(rig) {
      const count = Math.min(1000, rig.storage.capabilities.maxBatchRows);
      const records = Array.from({ length: count }, (_, i) => newSchedule(`s${String(i).padStart(4, "0")}`));
      await rig.register(...records);
      const stored = await rig.storage.listSchedules({ limit: count + 1 });
      equal(
        stored,
        records.map((record) => ({ ...record, revision: 1 })),
        "all of them",
      );
      ok((await rig.storage.stats({ now: rig.now })).schedules.active === count, "counted");
    },
  },
];
