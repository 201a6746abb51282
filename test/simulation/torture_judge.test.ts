/** Do the judges of the torture test detect each broken promise? Valid notes and rows, and each promise broken in them once. */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import { FakeClock } from "../../src/testing/mod.ts";
import { type Op, playScript } from "./simulator/script.ts";
import { judgeLog } from "./torture/judge_log.ts";
import { type Acknowledged, judgeRows, type Rows, readRows } from "./torture/judge_rows.ts";
import type { Note } from "./torture/side_log.ts";

const claimed = (fence: number, done: string[], token = `t${fence}`): Note => ({
  kind: "claimed",
  job: "j",
  fence,
  token,
  done,
});
const started = (step: string, fence: number): Note => ({ kind: "started", job: "j", step, fence });
const asked = (op: string, forgets: Record<string, string[]> = {}): Note => ({ kind: "asked", op, forgets });
const saved = (op: string, fence: number, done: string[], ends = false): Note => ({
  kind: "saved",
  op,
  job: "j",
  token: `t${fence}`,
  done,
  state: ends ? "completed" : "running",
  ends,
});
const leads = (holder: string, token: number): Note => ({ kind: "leads", holder, token });
const fired = (op: string, token: number): Note => ({ kind: "fired", op, token, names: ["s"] });

describe("judgeLog()", () => {
  test("accepts a job that was taken over with its history", () => {
    const report = judgeLog([
      ...[claimed(1, []), started("a", 1), asked("1"), saved("1", 1, ["a"]), started("b", 1)],
      ...[claimed(2, ["a"]), started("b", 2), asked("2"), saved("2", 2, ["b"], true)],
      ...[leads("h", 1), asked("3"), fired("3", 1), leads("i", 2), asked("4"), fired("4", 2)],
    ]);
    expect(report).toMatchObject({ violations: [], started: 3, resumed: 1, replayed: 1, terms: 2 });
  });

  test("accepts what a stopped process notes late, and steps that a retry forgets", () => {
    const late = [claimed(1, []), claimed(3, []), asked("1"), saved("1", 3, ["a"]), claimed(2, []), started("a", 2)];
    expect(judgeLog(late).violations).toEqual([]);
    const forgotten = [claimed(1, []), saved("1", 1, ["a"]), asked("2", { j: ["a"] }), claimed(2, []), started("a", 2)];
    expect(judgeLog(forgotten).violations).toEqual([]);
    // The first sending of a write counts, its answer may come after another claim.
    expect(
      judgeLog([claimed(1, []), asked("1"), claimed(2, ["a"]), asked("1"), saved("1", 1, ["a"])]).violations,
    ).toEqual([]);
  });

  const broken: [what: string, notes: Note[], says: string][] = [
    ["a finished step that runs again in a later claim", [claimed(2, ["a"]), started("a", 2)], "and ran again"],
    [
      "a finished step that runs again in the claim that saved it",
      [claimed(1, []), asked("1"), saved("1", 1, ["a"]), started("a", 1)],
      "and ran again",
    ],
    [
      "a saved step that is missing in a later history",
      [claimed(1, []), asked("1"), saved("1", 1, ["a"]), claimed(2, [])],
      'without its finished step "a"',
    ],
    ["one fence for two claims", [claimed(1, []), claimed(1, [], "other")], "two claims"],
    ["a step under no claim", [started("a", 1)], "no claim has"],
    [
      "a write under a lost claim",
      [claimed(1, []), claimed(2, []), asked("1"), saved("1", 1, ["a"])],
      "after claim 2 had begun",
    ],
    [
      "a job that ends twice",
      [claimed(1, []), asked("1"), saved("1", 1, [], true), asked("2"), saved("2", 1, [], true)],
      "ended twice",
    ],
    ["one term for two holders", [leads("h", 1), leads("i", 1)], "term 1 was granted"],
    ["a fire under a lost term", [leads("h", 1), leads("i", 2), asked("1"), fired("1", 1)], "after term 2 had begun"],
  ];
  for (const [what, notes, says] of broken) {
    test(`detects ${what}`, () => {
      expect(judgeLog(notes).violations.join("\n")).toContain(says);
    });
  }
});

const EVERY = "@every 1s";
const KNOWN = { [EVERY]: { everyMs: 1000, skips: false, anchored: true } };
const SCRIPT: Op[] = [
  { op: "step", name: "load", ms: 0, fails: 0, tries: 1, timeoutMs: null },
  { op: "invoke", name: "child", script: [{ op: "step", name: "in", ms: 0, fails: 0, tries: 1, timeoutMs: null }] },
  { op: "spawn", name: "kid", script: [] },
  { op: "wait", name: "go", ms: 60_000 },
];

/** Real rows: a schedule that fired ten times, and a job with a child, a spawned one and a signal. */
async function realRows(): Promise<{ rows: Rows; clients: Acknowledged; id: string }> {
  const storage = memory();
  const clock = new FakeClock();
  const belfry = new Belfry({ storage, clock, logger: silentLogger });
  const scriptHost = { sleep: async () => true, stepBegins: () => 0, stepEnds: () => {}, reachesThrow: () => 0 };
  belfry.task("play", (ctx, script: Op[]) => playScript(scriptHost, ctx, script));
  await belfry.schedule(EVERY, EVERY, "play", { input: [] });
  const job = await belfry.enqueue("play", SCRIPT, { key: "k" });
  await clock.advance("10s");
  for (let i = 0; i < 3; i++) await belfry.tick();
  await job.signal("go", "signal go", { key: "s" });
  for (let i = 0; i < 3; i++) await belfry.tick();
  await belfry.schedules.pause(EVERY);
  const rows = await readRows(storage);
  await belfry.close();
  const clients = {
    jobs: [job.id],
    keys: new Map([["k", job.id]]),
    cancelled: [],
    signals: [[job.id, "go", "s"]] as const,
  };
  return { rows, clients, id: job.id };
}

describe("judgeRows()", () => {
  test("accepts the rows that the engine left", async () => {
    const { rows, clients } = await realRows();
    expect(rows["occurrences"]).toHaveLength(10);
    expect(rows["jobs"]).toHaveLength(13);
    expect(judgeRows(rows, KNOWN, clients)).toEqual([]);
  });

  const broken: [what: string, spoil: (rows: Rows, id: string) => unknown, says: string][] = [
    ["an occurrence without outcome", ({ occurrences }) => occurrences!.splice(4, 1), "comes next"],
    ["a first occurrence without outcome", ({ occurrences }) => occurrences!.splice(0, 1), "comes next"],
    ["a last occurrence without outcome", ({ occurrences }) => occurrences!.pop(), "its log ends before"],
    [
      "an outcome without its job",
      ({ jobs }) =>
        jobs!.splice(
          jobs!.findIndex((job) => job["schedule"]),
          1,
        ),
      "is not stored",
    ],
    [
      "two jobs of one occurrence",
      ({ jobs }) => jobs!.push({ ...jobs!.find((job) => job["schedule"] !== null)!, id: "twin" }),
      "has no outcome",
    ],
    ["a job that is not over", ({ jobs }) => Object.assign(jobs![0]!, { state: "ready" }), "is not over"],
    ["a wrong result", ({ jobs }, id) => Object.assign(find(jobs!, id), { result: "[]" }), "is not a list of 4"],
    ["a step of no job", ({ steps }) => Object.assign(steps![0]!, { job_id: "nobody" }), "an orphan in steps"],
    ["a signal of no job", ({ signals }) => Object.assign(signals![0]!, { job_id: "nobody" }), "an orphan in signals"],
    ["a lost signal", ({ signals }) => signals!.pop(), "was accepted and is not stored"],
    [
      "a lost spawned job",
      ({ jobs, steps }) => remove(jobs!, String(steps!.find((step) => step["kind"] === "spawn")!["child_id"])),
      "spawned",
    ],
    [
      "a parent that was told another end",
      ({ jobs }, id) => Object.assign(jobs!.find((job) => job["parent_id"] === id)!, { state: "failed", result: null }),
      "for completed",
    ],
    ["an acknowledged job that is gone", ({ jobs }, id) => remove(jobs!, id), "was acknowledged"],
    ["a key with two jobs", ({ jobs }, id) => jobs!.push({ ...find(jobs!, id), id: "twin" }), "key k has two jobs"],
  ];
  for (const [what, spoil, says] of broken) {
    test(`detects ${what}`, async () => {
      const { rows, clients, id } = await realRows();
      spoil(rows, id);
      expect(judgeRows(rows, KNOWN, clients).join("\n")).toContain(says);
    });
  }
});

function find(jobs: Rows[string], id: string): Rows[string][number] {
  return jobs.find((job) => job["id"] === id)!;
}

function remove(jobs: Rows[string], id: string): void {
  jobs.splice(jobs.indexOf(find(jobs, id)), 1);
}
