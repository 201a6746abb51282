/** Group commit by itself: what shares a batch, how large a batch may be, and what happens to a batch without a reply. */
import { describe, expect, test } from "vitest";
import { GroupCommit, type GroupCommitEntry, type GroupCommitPolicy } from "../../src/engine/group_commit.ts";
import { FakeClock } from "../../src/testing/mod.ts";

interface Entry extends GroupCommitEntry {
  key: string;
}

/** A group commit whose batches are answered when the test says so; batches are the keys of their entries, joined. */
function setUp(policy: Partial<GroupCommitPolicy<Entry, string, string>> = {}) {
  const clock = new FakeClock();
  const inFlight: { batch: string; reply(): void; fail(): void }[] = [];
  const log: string[] = [];
  const commit = new GroupCommit<Entry, string, string>(
    { clock, ids: { random: () => 1 } },
    {
      splits: "side by side",
      bounds: () => ({ maxBatchRows: 4, maxBatchBytes: 100 }),
      expectsMore: () => false,
      prepare: (entries) => entries.map(({ key }) => key).join(""),
      send: (batch) =>
        new Promise((resolve, reject) => {
          log.push(`send ${batch}`);
          inFlight.push({ batch, reply: () => resolve(`stored ${batch}`), fail: () => reject(new Error("no reply")) });
        }),
      succeeded: (_batch, reply) => void log.push(reply),
      failed: () => "resend",
      ...policy,
    },
  );
  return {
    clock,
    commit,
    add: (key: string, rows = 1, bytes = 1) => commit.add({ key, rows, bytes }),
    /** What happened since the last call, once everything that can happen by itself has. */
    async happened(): Promise<string[]> {
      await clock.settle();
      return log.splice(0);
    },
    reply: () => inFlight.shift()!.reply(),
    fail: () => inFlight.shift()!.fail(),
  };
}

describe("GroupCommit", () => {
  test("sends entries that are added in the same turn as one batch", async () => {
    const { add, happened } = setUp();
    for (const key of ["a", "b", "c"]) add(key);
    expect(await happened()).toEqual(["send abc"]);
  });

  test("gathers entries while a batch is in flight and sends them together when it is answered", async () => {
    const { add, happened, reply } = setUp();
    add("a");
    await happened();
    add("b");
    add("c");
    expect(await happened()).toEqual([]);
    reply();
    expect(await happened()).toEqual(["stored a", "send bc"]);
  });

  test("waits for the end of the event loop's turn when more writes are expected", async () => {
    const { add, clock, happened } = setUp({ expectsMore: () => true });
    add("a");
    await Promise.resolve();
    await Promise.resolve();
    void clock.turn().then(() => add("late"));
    add("b");
    expect(await happened()).toEqual(["send ab"]);
  });

  test.each<[string, [rows: number, bytes: number][], string[]]>([
    [
      "rows",
      [
        [2, 1],
        [2, 1],
        [1, 1],
      ],
      ["01", "2"],
    ],
    [
      "bytes",
      [
        [1, 60],
        [1, 40],
        [1, 1],
      ],
      ["01", "2"],
    ],
    [
      "one entry at least, however large",
      [
        [9, 999],
        [1, 1],
      ],
      ["0", "1"],
    ],
    [
      "order: a small entry does not overtake a large one",
      [
        [3, 1],
        [2, 1],
        [1, 1],
      ],
      ["0", "12"],
    ],
  ])("bounds a batch by %s", async (_bound, sizes, batches) => {
    const { add, happened, reply } = setUp();
    for (const [i, [rows, bytes]] of sizes.entries()) add(`${i}`, rows, bytes);
    const sent: string[] = [];
    for (const _ of batches) {
      sent.push(...(await happened()).filter((line) => line.startsWith("send")));
      reply();
    }
    expect(sent).toEqual(batches.map((batch) => `send ${batch}`));
  });

  test("waiting() finds an entry until it is sent", async () => {
    const { add, commit, happened } = setUp();
    add("a");
    expect(commit.waiting("a")).toMatchObject({ key: "a" });
    await happened();
    expect(commit.waiting("a")).toBeUndefined();
  });

  test("resends the same batch after 100, 200, 400 ms, and nothing else before it is answered", async () => {
    const { add, clock, happened, fail, reply } = setUp();
    add("a");
    expect(await happened()).toEqual(["send a"]);
    add("b");
    for (const delayMs of [100, 200, 400]) {
      fail();
      await clock.advance(delayMs - 1);
      expect(await happened()).toEqual([]);
      await clock.advance(1);
      expect(await happened()).toEqual(["send a"]);
    }
    reply();
    expect(await happened()).toEqual(["stored a", "send b"]);
  });

  test("goes on with the next batch after one that was given up", async () => {
    const { add, happened, fail } = setUp({ failed: () => "give up" });
    add("a");
    await happened();
    add("b");
    fail();
    expect(await happened()).toEqual(["send b"]);
  });

  test("sends the entries of a split batch side by side, and later entries of their keys after them", async () => {
    const { add, happened, fail, reply } = setUp({ failed: (batch) => (batch.length > 1 ? "split" : "give up") });
    add("a");
    add("b");
    await happened();
    add("c");
    fail();
    expect(await happened()).toEqual(["send a", "send b", "send c"]);
    add("b");
    reply();
    expect(await happened()).toEqual(["stored a"]);
    fail(); // of b
    reply();
    expect(await happened()).toEqual(["stored c", "send b"]);
  });

  test("sends the entries of a split batch in turn, before any other", async () => {
    const { add, happened, fail, reply } = setUp({
      splits: "in turn",
      failed: (batch) => (batch.length > 1 ? "split" : "give up"),
    });
    add("a");
    add("b");
    await happened();
    add("c");
    fail();
    expect(await happened()).toEqual(["send a"]);
    fail();
    expect(await happened()).toEqual(["send b"]);
    reply();
    expect(await happened()).toEqual(["stored b", "send c"]);
  });
});
