/** What does a claim do that is piggybacked on another batch? Cases about `claim` in `enqueue` and `save`. */
import type { ClaimRequest } from "../../storage/port.ts";
import { equal, ok } from "./assert.ts";
import { type Case, newJob, newQueue, newStep, type Rig, T0, untimed } from "./rig.ts";

/** A claim to send along, with defaults. */
function piggyback(rig: Rig, token: string, given: Partial<ClaimRequest> = {}): { claim: ClaimRequest } {
  const claim = { worker: "piggybacker", queues: ["q"], tasks: null, limit: 10, now: rig.now, claimMs: 20_000 };
  return { claim: { token, ...claim, ...given } };
}

const idsOf = (reply: { claimed?: { jobs: { id: string }[] } }): string[] | undefined =>
  reply.claimed?.jobs.map(({ id }) => id);

/** Cases of piggybacked claims. */
export const piggybackCases: readonly Case[] = [
  {
    title: "enqueue() with a claim inserts and claims in one batch, as one after the other would",
    async run(rig) {
      const jobs = [newJob("j", { input: '"in"' }), newJob("later", { availableAt: T0 + 700 })];
      const reply = await rig.storage.enqueue({ op: "e", now: T0, jobs, ...piggyback(rig, "t") });
      equal(
        reply.jobs,
        [
          { id: "j", created: true },
          { id: "later", created: true },
        ],
        "inserted",
      );
      equal(idsOf(reply), ["j"], "claimed");
      const claimed = reply.claimed!.jobs[0]!;
      equal(claimed, await rig.job("j"), "as it is stored, with its history");
      equal(
        [claimed.state, claimed.claimToken, claimed.worker, claimed.attempt, claimed.claims, claimed.claimExpiresAt],
        ["running", "t", "piggybacker", 1, 1, T0 + 20_000],
        "running",
      );
      equal(reply.claimed!.nextAt, T0 + 700, "and when the next could be claimed");
      ok(!("time" in reply.claimed!), "the time is told once");
      ok(!("claimed" in (await rig.enqueue(newJob("plain")))), "nothing is claimed that nobody asked for");
    },
  },
  {
    title: "a claim piggybacked on enqueue() takes what is first in line, not what came with it",
    async run(rig) {
      await rig.enqueue(newJob("older", { availableAt: T0 - 10 }), newJob("important", { priority: 5 }));
      const jobs = [newJob("new")];
      const reply = await rig.storage.enqueue({ op: "e", now: T0, jobs, ...piggyback(rig, "t", { limit: 2 }) });
      equal(idsOf(reply), ["important", "older"], "in the order of every claim");
      equal(await rig.states("new"), ["ready"], "it waits in line");
      await rig.enqueue(newJob("abandoned", { queue: "other" }));
      await rig.claim({ queues: ["other"], claimMs: 10 });
      rig.now += 10;
      const second = piggyback(rig, "u", { queues: ["other"] });
      const freed = await rig.storage.enqueue({ op: "f", now: rig.now, jobs: [newJob("x")], ...second });
      equal([idsOf(freed), freed.claimed!.jobs[0]!.attempt], [["abandoned"], 2], "what ran out is freed first");
    },
  },
  {
    title: "a claim piggybacked on enqueue() keeps to paused and full queues, tasks and limits",
    async run(rig) {
      await rig.setQueues(newQueue("paused", { paused: true }), newQueue("full", { concurrency: 1 }));
      await rig.running("runs", { queue: "full" });
      const limit = { key: "l", concurrency: 1, rate: null };
      const jobs = [
        newJob("p", { queue: "paused" }),
        newJob("f", { queue: "full" }),
        newJob("t", { task: "unknown here" }),
        newJob("l1", { limit }),
        newJob("l2", { limit }),
        newJob("gone", { expiresAt: T0 }),
        newJob("elsewhere", { queue: "nobody asked" }),
      ];
      const asks = piggyback(rig, "t", { queues: ["paused", "full", "q"], tasks: ["task"] });
      const reply = await rig.storage.enqueue({ op: "e", now: T0, jobs, ...asks });
      equal(idsOf(reply), ["l1"], "claimed");
      equal(
        await rig.states("p", "f", "t", "l2", "gone", "elsewhere"),
        ["ready", "ready", "ready", "ready", "expired", "ready"],
        "the others",
      );
    },
  },
  {
    title: "enqueue() with a claim sent again inserts and claims nothing more, and answers as before",
    async run(rig) {
      const request = { op: "e", now: T0, jobs: [newJob("j", { key: "k" })], ...piggyback(rig, "t") };
      const first = await rig.storage.enqueue(request);
      await rig.enqueue(newJob("other"));
      equal(untimed(await rig.storage.enqueue(request)).jobs, first.jobs, "the same insert");
      equal(idsOf(await rig.storage.enqueue(request)), ["j"], "the same claim");
      equal([(await rig.job("j")).attempt, (await rig.job("j")).claims], [1, 1], "claimed once");
      equal(await rig.states("other"), ["ready"], "another's job is left alone");
      const known = await rig.storage.enqueue({ ...request, op: "f", ...piggyback(rig, "u") });
      equal([known.jobs, idsOf(known)], [[{ id: "j", created: false }], ["other"]], "a key that is stored");
    },
  },
  {
    title: "enqueue() of nothing and save() of nothing perform the piggybacked claim",
    async run(rig) {
      await rig.enqueue(newJob("a"), newJob("b"));
      const one = await rig.storage.enqueue({ op: "e", now: T0, jobs: [], ...piggyback(rig, "t", { limit: 1 }) });
      equal([one.jobs, idsOf(one)], [[], ["a"]], "enqueue");
      const two = await rig.storage.save({ op: "s", now: T0, claimMs: 1, writes: [], ...piggyback(rig, "u") });
      equal([two.saved, idsOf(two)], [[], ["b"]], "save");
    },
  },
  {
    title: "save() with a claim settles and claims in one batch: the place in a full queue goes on at once",
    async run(rig) {
      await rig.setQueues(newQueue("q", { concurrency: 1 }));
      const job = await rig.running("j");
      await rig.enqueue(newJob("next"), newJob("last"));
      const writes = [rig.write(job, { transition: { to: "completed", result: "1" } })];
      const request = { op: "s", now: T0, claimMs: 1, writes, ...piggyback(rig, "t") };
      const reply = await rig.storage.save(request);
      equal(reply.saved, [{ id: "j", state: "completed", arrivals: 0 }], "settled");
      equal(idsOf(reply), ["last"], "claimed, the first by id");
      ok(!("time" in reply.claimed!), "the time is told once");
      const again = await rig.storage.save(request);
      equal([again.saved, idsOf(again)], [reply.saved, ["last"]], "sent again");
      equal(await rig.states("next", "last"), ["ready", "running"], "one runs");
    },
  },
  {
    title: "a claim piggybacked on save() finds the child that the save began, and the parent that it woke",
    async run(rig) {
      const parent = await rig.running("parent");
      const begin = rig.write(parent, {
        steps: [newStep("parent", "before")],
        children: [newJob("child", { parentId: "parent" })],
        transition: { to: "waiting", availableAt: null, arrivals: 0 },
      });
      const begun = await rig.storage.save({ op: "b", now: T0, claimMs: 1, writes: [begin], ...piggyback(rig, "t") });
      equal([begun.saved[0]?.state, idsOf(begun)], ["waiting", ["child"]], "the child");
      const end = rig.write(begun.claimed!.jobs[0]!, { transition: { to: "completed", result: '"r"' } });
      const request = { op: "e", now: T0, claimMs: 1, writes: [end], ...piggyback(rig, "u") };
      const ended = await rig.storage.save(request);
      equal([ended.saved[0]?.id, idsOf(ended)], ["child", ["parent"]], "the parent");
      const [woken] = ended.claimed!.jobs;
      equal(
        [woken!.arrivals, woken!.attempt, woken!.children.map(({ id, result }) => [id, result])],
        [1, 1, [["child", '"r"']]],
        "with what ended",
      );
      equal(
        woken!.steps.map(({ name }) => name),
        ["before"],
        "and its history",
      );
      equal(idsOf(await rig.storage.save(request)), ["parent"], "sent again");
      equal((await rig.job("parent")).arrivals, 1, "woken once");
    },
  },
  {
    title: "a claim piggybacked on save() finds what the end admits to a limit, and what a save gave back",
    async run(rig) {
      const limit = { key: "l", concurrency: 1, rate: null };
      const holder = await rig.running("holder", { limit });
      await rig.enqueue(newJob("held", { limit }));
      const end = [rig.write(holder, { transition: { to: "failed", error: '"e"' } })];
      const admitted = await rig.storage.save({ op: "a", now: T0, claimMs: 1, writes: end, ...piggyback(rig, "t") });
      equal(idsOf(admitted), ["held"], "admitted and claimed");
      const back = [
        rig.write(admitted.claimed!.jobs[0]!, {
          steps: [newStep("held", "s")],
          transition: { to: "ready", availableAt: T0, resuming: true, error: null },
        }),
      ];
      const given = await rig.storage.save({ op: "g", now: T0, claimMs: 1, writes: back, ...piggyback(rig, "u") });
      equal(
        [idsOf(given), given.claimed!.jobs[0]!.steps.length, given.claimed!.jobs[0]!.claims],
        [["held"], 1, 2],
        "with the step of the same batch",
      );
    },
  },
  {
    title: "a claim piggybacked on save() is done even where every write has lost its claim",
    async run(rig) {
      const job = await rig.running("j");
      await rig.storage.cancel({ op: rig.op(), now: T0, ids: ["j"], error: '"x"' });
      await rig.enqueue(newJob("next"));
      const writes = [rig.write(job, { transition: { to: "completed", result: "1" } })];
      const reply = await rig.storage.save({ op: "s", now: T0, claimMs: 1, writes, ...piggyback(rig, "t") });
      equal([reply.saved, idsOf(reply)], [[], ["next"]], "nothing saved, one claimed");
      equal(await rig.states("j"), ["cancelled"], "as it was");
    },
  },
];
