/** What reaches a job from outside? Cases about signals, cancelling and putting back. */
import { equal, sameItems } from "./assert.ts";
import { type Case, newJob, newStep, type Rig, T0, untimed } from "./rig.ts";

function send(rig: Rig, jobId: string, key: string, given: { name?: string; payload?: string } = {}): Promise<string> {
  return rig.storage
    .signal({ now: rig.now, signals: [{ jobId, name: "n", key, payload: "1", ...given }] })
    .then(({ outcomes }) => outcomes[0]!);
}

function cancel(rig: Rig, ...ids: string[]): Promise<string[]> {
  return rig.storage.cancel({ op: rig.op(), now: rig.now, ids, error: '"stop"' });
}

function retry(rig: Rig, id: string, forget: string[] = [], notes: string | null = null): Promise<string[]> {
  return rig.storage.retry({ op: rig.op(), now: rig.now, jobs: [{ id, forget, notes }] });
}

/** Cases of `signal`, `cancel` and `retry`. */
export const outsideCases: readonly Case[] = [
  {
    title: "signal() is kept for a job in any unfinished state, and handed over in order of arrival",
    async run(rig) {
      await rig.enqueue(newJob("j"));
      equal(await send(rig, "j", "k1", { name: "b" }), "accepted", "before it was ever claimed");
      let [job] = (await rig.claim()).jobs;
      rig.now += 1;
      equal(await send(rig, "j", "k1", { name: "a" }), "accepted", "while it runs, the same key under another name");
      await rig.move(job!, { to: "ready", availableAt: rig.now, resuming: true, error: null });
      equal(await send(rig, "j", "k0", { name: "b", payload: '"x"' }), "accepted", "while it is ready");
      [job] = (await rig.claim()).jobs;
      equal(
        job!.signals.map(({ name, key, payload, sentAt, seq }) => [name, key, payload, sentAt, seq]),
        [
          ["b", "k1", "1", T0, 1],
          ["a", "k1", "1", T0 + 1, 2],
          ["b", "k0", '"x"', T0 + 1, 3],
        ],
        "signals",
      );
      equal(job!.arrivals, 3, "each counts as an arrival");
    },
  },
  {
    title: "signal() wakes a waiting job at once, before its timeout",
    async run(rig) {
      const job = await rig.running("j");
      await rig.move(job, { to: "waiting", availableAt: T0 + 1e6, arrivals: 0 });
      rig.now += 10;
      await send(rig, "j", "k");
      const woken = await rig.job("j");
      equal([woken.state, woken.availableAt, woken.arrivals], ["ready", rig.now, 1], "woken");
      equal(await rig.claimIds(), ["j"], "claimable");
    },
  },
  {
    title: "signal() does not hasten a job that sleeps or backs off, and does not disturb one that runs",
    async run(rig) {
      const job = await rig.running("sleeps");
      await rig.move(job, { to: "ready", availableAt: T0 + 50, resuming: true, error: null });
      await send(rig, "sleeps", "k");
      equal([(await rig.job("sleeps")).availableAt, await rig.claimIds()], [T0 + 50, []], "it sleeps on");
      const runs = await rig.running("runs");
      await send(rig, "runs", "k");
      equal(
        [(await rig.job("runs")).state, (await rig.job("runs")).claimToken],
        ["running", runs.claimToken],
        "it runs on",
      );
    },
  },
  {
    title: "signal() with a key that came before is a duplicate: nothing changes, not even after the job's end",
    async run(rig) {
      const job = await rig.running("j");
      equal(await send(rig, "j", "k", { payload: '"first"' }), "accepted", "the first");
      equal(await send(rig, "j", "k", { payload: '"second"' }), "duplicate", "the second");
      const stored = await rig.job("j");
      equal([stored.arrivals, stored.signals.length, stored.signals[0]!.payload], [1, 1, '"first"'], "the first stays");
      await rig.move(job, { to: "waiting", availableAt: null, arrivals: 1 });
      await send(rig, "j", "k");
      equal((await rig.job("j")).state, "waiting", "a duplicate wakes nobody");
      await cancel(rig, "j");
      equal(await send(rig, "j", "k"), "duplicate", "its first delivery was accepted");
      equal(await send(rig, "j", "new"), "finished", "a new one comes too late");
      equal((await rig.job("j")).signals.length, 1, "and is not kept");
    },
  },
  {
    title: "signal() answers for each of a batch in the order sent",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"));
      await cancel(rig, "b");
      const of = (jobId: string, key: string): { jobId: string; name: string; key: string; payload: string } => ({
        jobId,
        name: "n",
        key,
        payload: "1",
      });
      const signals = [of("absent", "k"), of("a", "k2"), of("b", "k"), of("a", "k2"), of("a", "k1")];
      const reply = await rig.storage.signal({ now: rig.now, signals });
      equal(untimed(reply), { outcomes: ["unknown", "accepted", "finished", "duplicate", "accepted"] }, "outcomes");
      equal(
        (await rig.job("a")).signals.map(({ key, seq }) => [key, seq]),
        [
          ["k2", 1],
          ["k1", 2],
        ],
        "seq follows the order sent",
      );
      equal((await rig.storage.signal({ now: rig.now, signals: [] })).outcomes, [], "an empty batch");
    },
  },
  {
    title: "signal() keeps keys of different jobs and names apart",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"));
      for (const [job, name, key] of [
        ["a", "n", "k"],
        ["b", "n", "k"],
        ["a", "nk", ""],
        ["a", "", "nk"],
        ["a", "n", "K"],
      ] as const) {
        equal(await send(rig, job, key, { name }), "accepted", `${job} ${name} ${key}`);
      }
    },
  },
  {
    title: "cancel() ends jobs in every unfinished state, with the error given",
    async run(rig) {
      for (const id of ["ready", "delayed", "runs", "waits"])
        await rig.enqueue(newJob(id, { queue: id, availableAt: T0 + (id === "delayed" ? 99 : 0) }));
      const [runs] = (await rig.claim({ queues: ["runs"] })).jobs;
      const [waits] = (await rig.claim({ queues: ["waits"] })).jobs;
      await rig.move(waits!, { to: "waiting", availableAt: T0 + 50, arrivals: 0 });
      rig.now += 3;
      const ids = ["ready", "delayed", "runs", "waits"];
      sameItems(await cancel(rig, ...ids, "absent"), ids, "all four");
      for (const id of ids) {
        const { state, error, finishedAt, claimToken, claimExpiresAt, availableAt } = await rig.job(id);
        equal(
          [state, error, finishedAt, claimToken, claimExpiresAt, availableAt],
          ["cancelled", '"stop"', rig.now, null, null, null],
          id,
        );
      }
      equal((await rig.complete(runs!)).saved, [], "the claim of a running one is lost");
      equal(
        (await rig.storage.renew({ now: rig.now, claimMs: 1, claims: [{ id: "runs", token: runs!.claimToken! }] }))
          .kept,
        [],
        "and cannot be renewed",
      );
      rig.now += 1e9;
      equal(await rig.claimIds({ queues: ids }), [], "nothing is claimed any more");
    },
  },
  {
    title: "cancel() leaves alone what is over",
    async run(rig) {
      const done = await rig.running("done");
      await rig.complete(done);
      const failed = await rig.running("failed");
      await rig.fail(failed);
      const before = [await rig.job("done"), await rig.job("failed")];
      rig.now += 1;
      equal(await cancel(rig, "done", "failed"), [], "nothing to cancel");
      equal([await rig.job("done"), await rig.job("failed")], before, "untouched");
    },
  },
  {
    title: "cancel() takes all unfinished descendants, wakes the parent, and answers the same when sent again",
    async run(rig) {
      const root = await rig.running("root", { queue: "roots" });
      await rig.save([
        rig.write(root, {
          children: [newJob("child", { parentId: "root" })],
          transition: { to: "waiting", availableAt: null, arrivals: 0 },
        }),
      ]);
      const [child] = (await rig.claim()).jobs;
      await rig.save([
        rig.write(child!, {
          children: [newJob("deep", { parentId: "child" }), newJob("done", { parentId: "child", queue: "d" })],
        }),
      ]);
      await rig.complete((await rig.claim({ queues: ["d"] })).jobs[0]!);
      const request = { op: "cancel", now: rig.now, ids: ["child"], error: '"stop"' };
      sameItems(await rig.storage.cancel(request), ["child", "deep"], "the job and what hangs on it");
      equal(
        [(await rig.job("deep")).error, (await rig.job("done")).state],
        ['"stop"', "completed"],
        "the error is for all; what is over stays",
      );
      equal(
        [(await rig.job("root")).state, (await rig.job("root")).arrivals],
        ["ready", 1],
        "the parent learns of it, once",
      );
      rig.now += 5;
      sameItems(await rig.storage.cancel({ ...request, now: rig.now }), ["child", "deep"], "the same answer");
      equal([(await rig.job("child")).finishedAt, (await rig.job("root")).arrivals], [T0, 1], "nothing changed");
      equal(await cancel(rig, "child"), [], "another cancel finds it over");
    },
  },
  {
    title: "cancel() of a parent together with its child wakes nobody and names each once",
    async run(rig) {
      await rig.enqueue(newJob("p"), newJob("c", { parentId: "p" }));
      sameItems(await cancel(rig, "c", "p", "c"), ["c", "p"], "each once");
      equal((await rig.job("p")).arrivals, 0, "a parent that is over is not woken");
    },
  },
  {
    title: "retry() puts failed, cancelled and expired jobs back as new, with their steps but those to forget",
    async run(rig) {
      for (const to of ["failed", "cancelled", "expired"] as const) {
        const job = await rig.running(to, { expiresAt: T0 + 1000 });
        await rig.save([
          rig.write(job, {
            notes: '"before"',
            steps: [newStep(to, "keep"), newStep(to, "drop", { state: "failed", output: null, error: '"e"' })],
            transition: { to, error: '"e"' },
          }),
        ]);
        rig.now += 1;
        equal(await retry(rig, to, ["drop", "absent"], to === "failed" ? '"after"' : null), [to], "put back");
        const stored = await rig.job(to);
        equal(
          [
            stored.state,
            stored.attempt,
            stored.claims,
            stored.availableAt,
            stored.finishedAt,
            stored.result,
            stored.error,
            stored.expiresAt,
            stored.notes,
          ],
          ["ready", 0, 1, rig.now, null, null, null, null, to === "failed" ? '"after"' : null],
          `${to}: fields`,
        );
        equal(
          stored.steps.map(({ name }) => name),
          ["keep"],
          `${to}: steps`,
        );
        const [again] = (await rig.claim()).jobs;
        equal(
          [again!.id, again!.attempt, again!.claims, again!.startedAt],
          [to, 1, 2, job.startedAt],
          `${to}: claimed again`,
        );
        await rig.complete(again!);
      }
    },
  },
  {
    title: "retry() leaves alone what runs, waits, is ready or completed",
    async run(rig) {
      await rig.enqueue(newJob("ready", { queue: "x" }));
      const done = await rig.running("done");
      await rig.complete(done);
      await rig.running("runs");
      for (const id of ["ready", "runs", "done", "absent"]) equal(await retry(rig, id), [], id);
      equal(await rig.states("ready", "runs", "done"), ["ready", "running", "completed"], "untouched");
    },
  },
  {
    title: "retry() sent again with the same op answers as before, and does nothing once the job is claimed",
    async run(rig) {
      await rig.fail(await rig.running("j"));
      const request = { op: "retry", now: rig.now, jobs: [{ id: "j", forget: [], notes: null }] };
      equal(await rig.storage.retry(request), ["j"], "first delivery");
      const stored = await rig.job("j");
      equal(await rig.storage.retry(request), ["j"], "second delivery");
      equal(await rig.job("j"), stored, "nothing changed");
      const [claimed] = (await rig.claim()).jobs;
      equal(await rig.storage.retry(request), [], "a late delivery");
      equal(await rig.job("j"), claimed, "the running job is not disturbed");
    },
  },
];
