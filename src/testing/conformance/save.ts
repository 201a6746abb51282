/** How does a running job go on? Cases about saving: the claim, steps, children, every transition. */
import type { JobTransition } from "../../storage/port.ts";
import { equal, ok, sameItems } from "./assert.ts";
import { type Case, newJob, newStep, T0, untimed } from "./rig.ts";

/** Cases of `save`. */
export const saveCases: readonly Case[] = [
  {
    title: "save() inserts steps, overwrites them by name and forgets those named",
    async run(rig) {
      const job = await rig.running("j");
      const pending = newStep("j", "b", {
        kind: "sleep",
        state: "pending",
        seq: null,
        output: null,
        wakeAt: T0 + 9,
        finishedAt: null,
      });
      await rig.save([rig.write(job, { steps: [newStep("j", "a"), pending, newStep("j", "c")] })]);
      const done = newStep("j", "b", { kind: "sleep", seq: 1, output: null, finishedAt: T0 + 9 });
      const failed = newStep("j", "d", {
        kind: "invoke",
        state: "failed",
        seq: 2,
        output: null,
        error: '"e"',
        childId: "child",
        tries: 3,
        attempt: 2,
      });
      const reply = await rig.save([rig.write(job, { steps: [done, failed], forget: ["c", "absent"] })]);
      equal(untimed(reply), { saved: [{ id: "j", state: "running", arrivals: 0 }] }, "reply");
      const { steps } = await rig.job("j");
      equal(
        [...steps].sort((x, y) => (x.name < y.name ? -1 : 1)),
        [newStep("j", "a"), done, failed],
        "steps",
      );
    },
  },
  {
    title: "save() leaves a done step as it is: an older write of the same claim that arrives late undoes nothing",
    async run(rig) {
      const job = await rig.running("j");
      const done = newStep("j", "s", { output: '"kept"', seq: 0 });
      const older = [
        rig.write(job, {
          steps: [newStep("j", "s", { state: "pending", seq: null, output: null, error: '"first try"' })],
        }),
      ];
      await rig.save(older, { op: "older" });
      await rig.save([rig.write(job, { steps: [done] })]);
      await rig.save(older, { op: "older" });
      equal((await rig.job("j")).steps, [done], "still done");
      const again = newStep("j", "s", { output: '"new"', seq: 3 });
      await rig.save([rig.write(job, { forget: ["s"], steps: [again] })]);
      equal((await rig.job("j")).steps, [again], "a write that forgets it may write it anew");
    },
  },
  {
    title: "save() without transition keeps the job running and prolongs its claim",
    async run(rig) {
      const job = await rig.running("j");
      rig.now += 20_000;
      await rig.save([rig.write(job)], { claimMs: 5_000 });
      const stored = await rig.job("j");
      equal(
        [stored.state, stored.claimExpiresAt, stored.claimToken],
        ["running", rig.now + 5_000, job.claimToken],
        "claim",
      );
    },
  },
  {
    title: "save() keeps progress: a value, null, or what was there",
    async run(rig) {
      const job = await rig.running("j");
      const progress = async (): Promise<string | null> => (await rig.job("j")).progress;
      await rig.save([rig.write(job, { progress: "0.5" })]);
      equal(await progress(), "0.5", "set");
      await rig.save([rig.write(job)]);
      equal(await progress(), "0.5", "unchanged");
      await rig.save([rig.write(job, { progress: null })]);
      equal(await progress(), null, "cleared");
    },
  },
  {
    title: "save() keeps the engine's notes, with whatever transition, until a write brings others",
    async run(rig) {
      const job = await rig.running("j");
      const notes = async (): Promise<string | null> => (await rig.job("j")).notes;
      equal(await notes(), null, "none");
      await rig.save([rig.write(job, { notes: '"a"' })]);
      equal(await notes(), '"a"', "set while it runs");
      await rig.save([rig.write(job)]);
      equal(await notes(), '"a"', "unchanged");
      await rig.save([
        rig.write(job, {
          notes: '"b"',
          transition: { to: "ready", availableAt: rig.now, resuming: true, error: null },
        }),
      ]);
      equal(await notes(), '"b"', "set as it goes on");
      const [claimed] = (await rig.claim()).jobs;
      equal(claimed!.notes, '"b"', "claimed with them");
      await rig.save([rig.write(claimed!, { notes: '"c"', transition: { to: "completed", result: "1" } })]);
      equal(await notes(), '"c"', "set as it ends");
    },
  },
  {
    title: "save() completes: result kept, claim gone, error cleared",
    async run(rig) {
      let job = await rig.running("j");
      await rig.move(job, { to: "ready", availableAt: T0, resuming: false, error: '"first try"' });
      equal((await rig.job("j")).error, '"first try"', "the last error shows while it is retried");
      [job] = (await rig.claim({ worker: "w2" })).jobs as [typeof job];
      rig.now += 5;
      equal((await rig.complete(job)).saved, [{ id: "j", state: "completed", arrivals: 0 }], "reply");
      const stored = await rig.job("j");
      equal([stored.result, stored.error, stored.finishedAt, stored.worker], ['"ok"', null, rig.now, "w2"], "ended");
      equal(
        [stored.claimToken, stored.claimExpiresAt, stored.availableAt],
        [null, null, null],
        "nothing is held any more",
      );
    },
  },
  {
    title: "save() fails, cancels and expires for good, with the error given",
    async run(rig) {
      for (const to of ["failed", "cancelled", "expired"] as const) {
        const job = await rig.running(to);
        equal((await rig.move(job, { to, error: `"${to}"` })).saved, [{ id: to, state: to, arrivals: 0 }], "reply");
        const stored = await rig.job(to);
        equal([stored.state, stored.error, stored.result, stored.finishedAt], [to, `"${to}"`, null, rig.now], "stored");
      }
      rig.now += 1e9;
      equal(await rig.claimIds(), [], "none is ever claimed again");
    },
  },
  {
    title: "save() to ready makes the job claimable at the instant given",
    async run(rig) {
      const job = await rig.running("j");
      await rig.move(job, { to: "ready", availableAt: T0 + 70, resuming: true, error: null });
      const stored = await rig.job("j");
      equal(
        [stored.state, stored.availableAt, stored.claimToken, stored.claimExpiresAt],
        ["ready", T0 + 70, null, null],
        "stored",
      );
      rig.now = T0 + 69;
      equal(await rig.claimIds(), [], "too early");
      rig.now = T0 + 70;
      equal(await rig.claimIds(), ["j"], "in time");
    },
  },
  {
    title: "save() to waiting waits, unless something reached the job since it was read: then it is ready at once",
    async run(rig) {
      const send = (id: string, key: string) =>
        rig.storage.signal({ now: rig.now, signals: [{ jobId: id, name: "n", key, payload: "1" }] });
      const waits = await rig.running("waits");
      equal(
        (await rig.move(waits, { to: "waiting", availableAt: null, arrivals: 0 })).saved,
        [{ id: "waits", state: "waiting", arrivals: 0 }],
        "waits",
      );
      equal((await rig.job("waits")).availableAt, null, "without timeout");
      const raced = await rig.running("raced");
      await send("raced", "k");
      equal(
        (await rig.move(raced, { to: "waiting", availableAt: T0 + 99, arrivals: 0 })).saved,
        [{ id: "raced", state: "ready", arrivals: 1 }],
        "raced",
      );
      const [again] = (await rig.claim()).jobs;
      equal(
        [again!.id, again!.attempt, again!.arrivals, again!.signals.length],
        ["raced", 1, 1, 1],
        "claimed with its signal, same attempt",
      );
      equal(
        (await rig.move(again!, { to: "waiting", availableAt: T0 + 99, arrivals: 1 })).saved[0]!.state,
        "waiting",
        "it has seen that one",
      );
      equal((await rig.job("raced")).availableAt, T0 + 99, "with timeout");
    },
  },
  {
    title: "save() under a lost claim writes nothing: no steps, no children, no transition",
    async run(rig) {
      const old = await rig.running("j");
      rig.now += 30_000;
      const [current] = (await rig.claim()).jobs;
      const everything = {
        steps: [newStep("j", "late")],
        forget: ["kept"],
        children: [newJob("child", { parentId: "j" })],
        progress: "late",
      };
      await rig.save([rig.write(current!, { steps: [newStep("j", "kept")] })]);
      const before = await rig.job("j");
      const moves: (JobTransition | null)[] = [
        null,
        { to: "completed", result: "late" },
        { to: "failed", error: "late" },
        { to: "ready", availableAt: T0, resuming: true, error: null },
        { to: "waiting", availableAt: null, arrivals: 0 },
      ];
      for (const transition of moves) {
        equal((await rig.save([rig.write(old, { ...everything, transition })])).saved, [], `${transition?.to}`);
      }
      equal((await rig.save([{ ...rig.write(old), id: "absent" }])).saved, [], "of an unknown job");
      equal(await rig.job("j"), before, "untouched");
      equal(await rig.states("child"), ["absent"], "no child");
    },
  },
  {
    title: "save() under a claim that has run out but that nobody took is taken",
    async run(rig) {
      const job = await rig.running("j");
      rig.now += 3_600_000;
      equal((await rig.complete(job)).saved[0]?.state, "completed", "tokens decide, not clocks");
    },
  },
  {
    title: "save() writes many jobs in one batch; one that lost its claim does not stop the others",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"), newJob("c"));
      const { jobs } = await rig.claim();
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["b"], error: '"x"' });
      const writes = jobs.map((job) =>
        rig.write(job, { steps: [newStep(job.id, "s")], transition: { to: "completed", result: `"${job.id}"` } }),
      );
      const reply = await rig.save(writes);
      sameItems(
        reply.saved.map(({ id }) => id),
        ["a", "c"],
        "saved",
      );
      equal(await rig.states("a", "b", "c"), ["completed", "cancelled", "completed"], "states");
      equal([(await rig.job("a")).result, (await rig.job("c")).result], ['"a"', '"c"'], "each its own");
      equal((await rig.job("b")).steps, [], "nothing of the lost one");
      equal((await rig.save([])).saved, [], "an empty batch");
    },
  },
  {
    title: "save() sent again with the same op changes nothing and answers as before",
    async run(rig) {
      const job = await rig.running("j");
      const step = { op: "step", writes: [rig.write(job, { steps: [newStep("j", "a")] })] };
      const first = await rig.save(step.writes, { op: step.op });
      const expiry = (await rig.job("j")).claimExpiresAt;
      rig.now += 5;
      equal(untimed(await rig.save(step.writes, { op: step.op })), untimed(first), "while it runs");
      equal((await rig.job("j")).claimExpiresAt, expiry, "the claim is not prolonged twice");
      const end = [rig.write(job, { children: [], transition: { to: "completed", result: "1" } })];
      const ended = await rig.save(end, { op: "end" });
      const stored = await rig.job("j");
      rig.now += 5;
      equal(untimed(await rig.save(end, { op: "end" })), untimed(ended), "after its end");
      equal(await rig.job("j"), stored, "untouched");
    },
  },
  {
    title: "save() sent again after another claimed the job neither writes nor claims success",
    async run(rig) {
      const job = await rig.running("j");
      const writes = [rig.write(job, { transition: { to: "ready", availableAt: T0, resuming: true, error: null } })];
      await rig.save(writes, { op: "give back" });
      equal(
        (await rig.save(writes, { op: "give back" })).saved,
        [{ id: "j", state: "ready", arrivals: 0 }],
        "nobody wrote since",
      );
      await rig.claim({ token: "other" });
      equal((await rig.save(writes, { op: "give back" })).saved, [], "another has it");
      equal((await rig.job("j")).claimToken, "other", "untouched");
    },
  },
  {
    title: "save() inserts children with the write, and leaves those alone that exist",
    async run(rig) {
      const parent = await rig.running("p");
      await rig.enqueue(newJob("known", { input: '"first"' }));
      const children = [
        newJob("c1", { parentId: "p", priority: 2 }),
        newJob("known", { parentId: "p", input: '"second"' }),
      ];
      await rig.save([
        rig.write(parent, {
          children,
          steps: [
            newStep("p", "c1", {
              kind: "invoke",
              state: "pending",
              seq: null,
              output: null,
              childId: "c1",
              finishedAt: null,
            }),
          ],
        }),
      ]);
      equal(
        [(await rig.job("c1")).parentId, (await rig.job("c1")).priority, (await rig.job("c1")).createdAt],
        ["p", 2, rig.now],
        "the child",
      );
      equal([(await rig.job("known")).input, (await rig.job("known")).parentId], ['"first"', null], "the known one");
      equal((await rig.job("p")).children, [], "none has ended");
      sameItems(await rig.claimIds(), ["c1", "known"], "children are claimed as any job");
    },
  },
  {
    // Found that the SQL core looked for the write of a child by its parent, and lost those that have none.
    title: "save() inserts jobs without a parent too, with their write; they live on when its job fails",
    async run(rig) {
      const [kept, ending, lost] = [await rig.running("kept"), await rig.running("ending"), await rig.running("lost")];
      await rig.storage.cancel({ op: rig.op(), now: rig.now, ids: ["lost"], error: '"x"' });
      const limit = { key: "l", concurrency: 1, rate: null };
      const writes = [
        rig.write(kept, {
          children: [newJob("s1", { limit }), newJob("s2", { limit }), newJob("s3", { parentId: "kept" })],
        }),
        rig.write(ending, {
          children: [newJob("s4", { key: "k" })],
          transition: { to: "failed", error: '"e"' },
        }),
        rig.write(lost, { children: [newJob("s5")] }),
      ];
      await rig.save(writes, { op: "spawn" });
      await rig.save(writes, { op: "spawn" });
      equal(
        await rig.states("s1", "s2", "s3", "s4", "s5"),
        ["ready", "ready", "ready", "ready", "absent"],
        "those of writes that were taken",
      );
      equal([(await rig.job("s1")).parentId, (await rig.job("s2")).held], [null, true], "parent and limit");
      sameItems(await rig.claimIds(), ["s1", "s3", "s4"], "claimed as any job");
    },
  },
  {
    title: "save() of a thousand steps of one job comes back whole with the next claim",
    async run(rig) {
      const job = await rig.running("j");
      const steps = Array.from({ length: 1000 }, (_, i) => newStep("j", `s${i}`, { seq: i, output: String(i) }));
      await rig.save([
        rig.write(job, { steps, transition: { to: "ready", availableAt: T0, resuming: true, error: null } }),
      ]);
      const [again] = (await rig.claim()).jobs;
      const outputs = again!.steps.sort((a, b) => a.seq! - b.seq!).map(({ output }) => Number(output));
      equal(
        outputs,
        steps.map((_, i) => i),
        "all of them",
      );
      ok(
        again!.steps.every(({ jobId }) => jobId === "j"),
        "all its own",
      );
    },
  },
];
