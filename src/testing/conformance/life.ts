/** How does a storage begin, move and end? Cases about opening, second connections, copying, closing. */
import type { Storage, StoragePage } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newOutcome, newQueue, newSchedule, newStep, type Rig, T0, untimed } from "./rig.ts";

/** All pages of a storage. */
async function exported(storage: Storage, limit: number): Promise<StoragePage[]> {
  const pages: StoragePage[] = [];
  let cursor: string | null = null;
  do {
    const reply: { page: StoragePage; cursor: string | null } = await storage.exportPage({ cursor, limit });
    ok(reply.page.rows.length <= limit, "a page keeps to its limit");
    pages.push(reply.page);
    cursor = reply.cursor;
  } while (cursor !== null);
  return pages;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** All rows of a storage as texts, table by table. */
async function rows(storage: Storage): Promise<string[]> {
  const texts: string[] = [];
  for (const { table, rows } of await exported(storage, 1000)) {
    for (const row of rows)
      texts.push(`${table} ${JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))}`);
  }
  return texts.sort();
}

/** A little of everything: every table has rows, every state a job. */
async function furnish(rig: Rig): Promise<void> {
  await rig.setQueues(
    newQueue("q", { rate: { count: 100, perMs: 1000 } }),
    newQueue("other", { paused: true, concurrency: 3 }),
  );
  await rig.put({
    owner: { owner: "app", generation: 7 },
    puts: [
      {
        revision: null,
        record: newSchedule("s", { owner: "app", pauseAfterFailures: 2, watchesJobs: true }),
        jobs: [],
        occurrences: [],
      },
      {
        revision: null,
        record: newSchedule("t", { state: "ended", nextAt: null, note: "é\u{1f514}" }),
        jobs: [],
        occurrences: [newOutcome("t", T0, { reason: "ended", count: 3, untilAt: T0 + 9 })],
      },
    ],
  });
  await rig.fire({ lease: await rig.lead(), firings: [rig.firing(await rig.schedule("s"))] });
  const limit = { limit: { key: "l", concurrency: 2, rate: { count: 5, perMs: 60_000 } } };
  await rig.enqueue(
    ...["l1", "l2", "l3"].map((id) => newJob(id, limit)),
    newJob("delayed", { availableAt: T0 + 500, key: "k", expiresAt: T0 + 900 }),
  );
  await rig.enqueue(
    ...["completed", "failed", "cancelled", "waiting", "asleep"].map((id) => newJob(id, { queue: "x" })),
  );
  const { jobs } = await rig.claim({ queues: ["q", "x"], limit: 20 });
  const of = (id: string) => jobs.find((job) => job.id === id)!;
  await rig.storage.signal({
    now: T0,
    signals: ["k2", "k1"].map((key) => ({ jobId: "waiting", name: "n", key, payload: '"x"' })),
  });
  await rig.save([
    rig.write(of("completed"), { transition: { to: "completed", result: '"ok"' } }),
    rig.write(of("failed"), {
      steps: [newStep("failed", "a"), newStep("failed", "b", { state: "failed", output: null, error: '"e"' })],
      transition: { to: "failed", error: '"e"' },
    }),
    rig.write(of("cancelled"), { transition: { to: "cancelled", error: '"e"' } }),
    rig.write(of("waiting"), {
      children: [newJob("child", { parentId: "waiting", queue: "other" })],
      transition: { to: "waiting", availableAt: T0 + 800, arrivals: 2 },
    }),
    rig.write(of("asleep"), {
      progress: "0.5",
      notes: '{"version":"1"}',
      transition: { to: "ready", availableAt: T0 + 700, resuming: true, error: null },
    }),
  ]);
}

/** Cases of `migrate`, second connections, `exportPage`, `importPage` and `close`. */
export const lifeCases: readonly Case[] = [
  {
    title: "migrate() opens an empty storage once; again it finds the schema current",
    async run(rig) {
      const again = await rig.storage.migrate({ now: rig.now });
      equal([again.from, again.to], [again.to, again.to], "current");
      ok(again.to >= 1, "a version");
      ok(
        Array.isArray(again.warnings) && again.warnings.every((warning) => typeof warning === "string"),
        "warnings are sentences",
      );
      await rig.enqueue(newJob("j"));
      await Promise.all([1, 2, 3].map(() => rig.storage.migrate({ now: rig.now })));
      equal(await rig.states("j"), ["ready"], "what is stored stays");
    },
  },
  {
    title: "capabilities are those that the storage shows",
    async run(rig) {
      const { capabilities, name } = rig.storage;
      ok(name !== "", "a name");
      ok(capabilities.maxBatchRows >= 100 && capabilities.maxBatchBytes >= 64 * 1024, "batches that are worth sending");
      equal(typeof rig.storage.enqueueStatements === "function", capabilities.statements, "enqueueStatements");
      const reply = await rig.enqueue(newJob("j"));
      equal(reply.time !== undefined, capabilities.serverClock, "time in replies");
    },
  },
  {
    title: "every reply of a server carries its time, an integer that does not go back",
    needs: "serverClock",
    async run(rig) {
      const replies = [
        await rig.storage.migrate({ now: rig.now }),
        await rig.tick(),
        await rig.fire({}),
        await rig.put({}),
        await rig.enqueue(newJob("j")),
        await rig.claim(),
        await rig.storage.renew({ now: rig.now, claimMs: 1, claims: [] }),
        await rig.save([]),
        await rig.storage.signal({ now: rig.now, signals: [] }),
        await rig.storage.stats({ now: rig.now }),
      ];
      let last = 0;
      for (const [i, { time }] of replies.entries()) {
        ok(Number.isInteger(time), `reply ${i} should carry the server's time, has ${time}`);
        ok(time! >= last, `the time of reply ${i} should not go back`);
        last = time!;
      }
    },
  },
  {
    title: "a second connection sees what the first wrote, at once",
    needs: "reopen",
    async run(rig) {
      await furnish(rig);
      const other = await rig.reopen();
      equal(await rows(other), await rows(rig.storage), "the same rows");
      await other.enqueue({ op: "x", now: rig.now, jobs: [newJob("from other", { queue: "fresh" })] });
      equal(await rig.claimIds({ queues: ["fresh"] }), ["from other"], "and the other way round");
      await other.close();
    },
  },
  {
    title: "two connections that claim at once never get the same job",
    needs: "reopen",
    async run(rig) {
      const other = await rig.reopen();
      const ids = Array.from({ length: 60 }, (_, i) => `j${i}`);
      await rig.enqueue(...ids.map((id) => newJob(id)));
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          (i % 2 ? other : rig.storage).claim({
            token: `t${i}`,
            worker: "w",
            queues: ["q"],
            tasks: null,
            limit: 5,
            now: rig.now,
            claimMs: 1000,
          }),
        ),
      );
      const got = claims.flatMap(({ jobs }) => jobs.map(({ id }) => id));
      equal(new Set(got).size, got.length, "each job went to one claim");
      got.push(...(await rig.claimIds({ limit: 60 })));
      sameItems(got, ids, "and none was lost");
      await other.close();
    },
  },
  {
    title: "two connections that race for the lease, a key and a revision: one of each wins",
    needs: "reopen",
    async run(rig) {
      const other = await rig.reopen();
      await rig.register(newSchedule("s"));
      const record = await rig.schedule("s");
      const both = [rig.storage, other];
      const ticks = await Promise.all(
        both.map((storage, i) =>
          storage.beginTick({
            holder: `h${i}`,
            token: null,
            now: rig.now,
            ttlMs: 1000,
            maxDue: 9,
            resignIfIdle: false,
          }),
        ),
      );
      equal(ticks.filter(({ leads }) => leads).length, 1, "one leads");
      const keyed = await Promise.all(
        both.map((storage, i) => storage.enqueue({ op: `e${i}`, now: rig.now, jobs: [newJob(`k${i}`, { key: "k" })] })),
      );
      equal(new Set(keyed.map(({ jobs }) => jobs[0]!.id)).size, 1, "one job has the key");
      const fired = await Promise.all(
        both.map((storage, i) =>
          storage.fire({ op: `f${i}`, now: rig.now, lease: null, firings: [rig.firing(record)], resign: false }),
        ),
      );
      equal(
        fired.flatMap((reply) => reply.fired),
        ["s"],
        "one fires",
      );
      equal((await rig.storage.listJobs({ schedule: "s", limit: 9 })).length, 1, "one job");
      await other.close();
    },
  },
  {
    title: "exportPage() and importPage() carry everything over: the copy has the same rows and goes on the same way",
    async run(rig) {
      await furnish(rig);
      const before = await rows(rig.storage);
      const tables = new Set(before.map((row) => row.slice(0, row.indexOf(" "))));
      sameItems(
        [...tables],
        ["lease", "owners", "schedules", "occurrences", "jobs", "steps", "signals", "queues", "limits", "starts"],
        "tables",
      );
      const small = await exported(rig.storage, 3);
      equal(small.flatMap((page) => page.rows).length, before.length, "small pages carry as many rows as large ones");
      // Imported over itself, everything is there already and left alone.
      for (const page of small) await rig.storage.importPage({ page });
      equal(await rows(rig.storage), before, "importing what is there changes nothing");
    },
  },
  {
    title:
      "importPage() into an empty storage makes a copy that goes on as the first would: claims, limits, wake-ups, keys",
    async run(rig) {
      await furnish(rig);
      const copy = await rig.another();
      for (const page of await exported(rig.storage, 4)) {
        await copy.storage.importPage({ page });
        await copy.storage.importPage({ page });
      }
      equal(await rows(copy.storage), await rows(rig.storage), "the same rows");
      // Both go on through the same hours: delayed and sleeping jobs, a timeout, claims that run out, held jobs.
      for (const side of [rig, copy]) side.now = T0 + 650;
      for (let hour = 0; hour < 4; hour++) {
        const [first, second] = await Promise.all(
          [rig, copy].map((side) =>
            side.claim({ token: `after ${hour}`, queues: ["q", "x"], limit: 3, claimMs: 1000 }),
          ),
        );
        const shown = (reply: typeof first): unknown[] =>
          reply!.jobs.map(({ steps, signals, ...job }) => ({ ...job, steps: [...steps].sort(byName), signals }));
        equal(shown(second), shown(first), `claims after ${hour} s`);
        equal(second!.nextAt, first!.nextAt, "nextAt");
        for (const side of [rig, copy]) side.now += 1000;
      }
      for (const side of [rig, copy]) {
        equal(
          (await side.enqueue(newJob("again", { task: "task", key: "k" }))).jobs[0]!.id,
          "delayed",
          "keys are known",
        );
        equal((await side.put({ owner: { owner: "app", generation: 6 } })).current, false, "generations are known");
      }
      const next = await Promise.all([rig, copy].map((side) => side.tick({ holder: "b", now: T0 + 1e6 })));
      equal(next[1]!.lease, next[0]!.lease, "the lease's token goes on");
    },
  },
  {
    title: "an export shows no private columns: its rows have the columns of the port and no others",
    async run(rig) {
      await furnish(rig);
      const columns = new Map<string, string>();
      for (const { table, rows: found } of await exported(rig.storage, 100)) {
        for (const row of found) columns.set(table, Object.keys(row).sort().join(" "));
      }
      const job =
        "arrivals attempt available_at claim_expires_at claim_token claims created_at error expires_at finished_at held id input " +
        "key limit_concurrency limit_count limit_key limit_per_ms notes options parent_id priority progress queue result " +
        "resuming schedule scheduled_at started_at state task worker";
      equal(columns.get("jobs"), job, "jobs");
      equal(
        columns.get("steps"),
        "attempt child_id error finished_at job_id kind name output seq signal_key started_at state tries wake_at",
        "steps",
      );
      equal(columns.get("signals"), "job_id key name payload sent_at seq", "signals");
      equal(columns.get("occurrences"), "at count job_id reason recorded_at schedule until_at", "occurrences");
      equal(
        columns.get("schedules"),
        "created_at definition failures fired last_at name next_at note owner pause_after_failures revision skips state updated_at watches_jobs",
        "schedules",
      );
      equal(columns.get("lease"), "expires_at holder token", "lease");
      equal(columns.get("starts"), "at count scope", "starts");
    },
  },
  {
    title: "close() can be called again, and leaves what is stored to those who open it next",
    needs: "reopen",
    async run(rig) {
      await rig.enqueue(newJob("j"));
      const other = await rig.reopen();
      await other.close();
      await other.close();
      equal(await rig.states("j"), ["ready"], "the first connection is not disturbed");
      const third = await rig.reopen();
      equal((await third.getJob({ id: "j" }))?.id, "j", "and a later one finds it");
      await third.close();
    },
  },
  {
    title: "beginTick(), claim() and the rest take times that a host's clock may show: the past, the far future",
    async run(rig) {
      await rig.register(newSchedule("s", { nextAt: 0 }));
      await rig.enqueue(newJob("j", { availableAt: 0 }));
      rig.now = 0;
      const past = await rig.tick({ holder: "past" });
      equal([past.leads, past.due.length], [true, 1], "at the epoch");
      rig.now = 253_402_300_799_999;
      const future = untimed(await rig.tick({ holder: "future" }));
      equal([future.leads, future.lease?.expiresAt], [true, rig.now + 15_000], "at the end of the year 9999");
      equal(await rig.claimIds(), ["j"], "claimed then");
    },
  },
];
