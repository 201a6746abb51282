/** Do jobs go into the user's own transaction? Cases about `enqueueStatements`. */
import type { Statement } from "../../storage/port.ts";
import { equal, ok } from "./assert.ts";
import { type Case, type ConformanceTarget, newJob } from "./rig.ts";

/** Runs statements in one transaction of the user's own. */
export type RunStatements = (target: ConformanceTarget, statements: Statement[]) => Promise<void>;

/** Cases of `enqueueStatements`; without a way to run statements there are none. */
export function statementCases(run: RunStatements | undefined): Case[] {
  if (!run) return [];
  return [
    {
      title: "enqueueStatements() run in the user's transaction enqueue as enqueue() does, keys and limits included",
      needs: "statements",
      async run(rig) {
        const limit = { limit: { key: "l", concurrency: 1, rate: null } };
        await rig.enqueue(newJob("known", { key: "k" }));
        const jobs = [newJob("a", { key: "x" }), newJob("b", { key: "k" }), newJob("l1", limit), newJob("l2", limit)];
        const request = { op: rig.op(), now: rig.now, jobs };
        const statements = rig.storage.enqueueStatements!(request);
        ok(statements.length > 0, "there is something to run");
        await run(rig.target, statements);
        equal(await rig.states("a", "b", "l1", "l2"), ["ready", "absent", "ready", "ready"], "stored");
        equal([(await rig.job("l1")).held, (await rig.job("l2")).held], [false, true], "held by the limit");
        await run(rig.target, rig.storage.enqueueStatements!(request));
        equal((await rig.claimIds()).sort(), ["a", "known", "l1"], "run twice, enqueued once");
      },
    },
  ];
}
