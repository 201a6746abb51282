/** What a run does next: each row is a situation and the action that follows. */
import { describe, expect, test } from "vitest";
import { decideNext, HOLD_MS, type NextAction, type RunState } from "../../src/execution/next.ts";

const NOW = 1_000_000;

/** A handler that runs, with all recorded results delivered, no open call and nothing in flight. */
const IDLE: RunState = {
  now: NOW,
  handler: "running",
  draining: false,
  nextResult: "none",
  uncalledRecord: false,
  openCalls: 0,
  startable: 0,
  runningSteps: 0,
  effects: 0,
  waits: 0,
  wakeAt: null,
  listens: false,
};
/** One sleep of an hour is in flight. */
const ASLEEP: Partial<RunState> = { openCalls: 1, waits: 1, wakeAt: NOW + 3_600_000 };
/** One wait for a signal is in flight, without a timeout. */
const LISTENING: Partial<RunState> = { openCalls: 1, waits: 1, listens: true };

type Row = [situation: string, state: Partial<RunState>, action: NextAction];

function table(rows: Row[]): void {
  test.each(rows)("%s", (_, state, action) => {
    expect(decideNext({ ...IDLE, ...state })).toEqual(action);
  });
}

describe("while recorded results are left", () => {
  table([
    ["delivers the next result when its call was made", { nextResult: "called", openCalls: 1 }, { do: "deliver" }],
    [
      "delivers it before new calls start",
      { nextResult: "called", openCalls: 3, startable: 2, runningSteps: 1 },
      { do: "deliver" },
    ],
    ["delivers it while draining", { nextResult: "called", openCalls: 1, draining: true }, { do: "deliver" }],
    [
      "delivers it to a handler that returned without awaiting it",
      { nextResult: "called", openCalls: 1, handler: "returned" },
      { do: "deliver" },
    ],
    ["waits while the next output is decoded", { nextResult: "decoding", openCalls: 1, effects: 1 }, { do: "wait" }],
    [
      "starts no new call before the call of the next result is made",
      { nextResult: "uncalled", openCalls: 1, startable: 1 },
      { do: "expect call", limited: true },
    ],
    [
      "expects the call of the next result without limit while no other call is open",
      { nextResult: "uncalled", openCalls: 0 },
      { do: "expect call", limited: false },
    ],
    [
      "expects it while draining, too: the code may be about to make it",
      { nextResult: "uncalled", draining: true },
      { do: "expect call", limited: false },
    ],
  ]);
});

describe("when the handler is over", () => {
  table([
    ["completes when it returned", { handler: "returned" }, { do: "complete" }],
    [
      "completes whatever is in flight, which the code did not wait for",
      { handler: "returned", openCalls: 2, runningSteps: 1, effects: 1, startable: 1, waits: 1, wakeAt: NOW },
      { do: "complete" },
    ],
    ["completes while draining", { handler: "returned", draining: true }, { do: "complete" }],
    [
      "fails by mismatch when a record is left whose call was never made",
      { handler: "returned", nextResult: "uncalled", uncalledRecord: true },
      { do: "fail by mismatch" },
    ],
    [
      "fails by mismatch when only a pending record is left",
      { handler: "returned", uncalledRecord: true },
      { do: "fail by mismatch" },
    ],
    ["fails when it threw", { handler: "threw" }, { do: "fail" }],
    [
      "fails with the handler's error, not by mismatch, when it threw with records left",
      { handler: "threw", nextResult: "uncalled", uncalledRecord: true },
      { do: "fail" },
    ],
    ["delivers nothing to a handler that threw", { handler: "threw", nextResult: "called" }, { do: "fail" }],
    ["lets the running steps of a failed handler finish", { handler: "threw", runningSteps: 2 }, { do: "fail later" }],
    ["fails at once while draining", { handler: "threw", runningSteps: 2, draining: true }, { do: "fail" }],
    ["does not wait for the waits of a failed handler", { handler: "threw", ...ASLEEP }, { do: "fail" }],
  ]);
});

describe("when all recorded results are delivered", () => {
  table([
    ["starts new calls", { openCalls: 1, startable: 1 }, { do: "start" }],
    ["starts what is due while other steps run", { openCalls: 2, startable: 1, runningSteps: 1 }, { do: "start" }],
    ["saves and waits while a step runs", { openCalls: 1, runningSteps: 1 }, { do: "save", alarmMs: null }],
    ["saves and waits while an effect is under way", { openCalls: 1, effects: 1 }, { do: "save", alarmMs: null }],
    [
      "saves and waits while the code awaits something of its own",
      { openCalls: 0, waits: 0 },
      { do: "save", alarmMs: null },
    ],
    [
      "sets an alarm for the nearest wait beside a running step",
      { openCalls: 2, runningSteps: 1, waits: 1, wakeAt: NOW + 100 },
      { do: "save", alarmMs: 100 },
    ],
    [
      "holds the run in memory for a wait that ends soon",
      { ...ASLEEP, wakeAt: NOW + HOLD_MS },
      { do: "save", alarmMs: HOLD_MS },
    ],
    [
      "holds it, too, where a signal may come before",
      { ...LISTENING, wakeAt: NOW + HOLD_MS },
      { do: "save", alarmMs: HOLD_MS },
    ],
    [
      "suspends until the nearest instant when only time is waited for",
      ASLEEP,
      { do: "suspend", until: NOW + 3_600_000, listens: false },
    ],
    [
      "suspends for a wait that ends just too late to hold the run",
      { ...ASLEEP, wakeAt: NOW + HOLD_MS + 1 },
      { do: "suspend", until: NOW + HOLD_MS + 1, listens: false },
    ],
    ["suspends until a signal or child comes", LISTENING, { do: "suspend", until: null, listens: true }],
    [
      "suspends until a signal or the timeout",
      { ...LISTENING, wakeAt: NOW + 60_000 },
      { do: "suspend", until: NOW + 60_000, listens: true },
    ],
  ]);
});

describe("while draining", () => {
  table([
    ["starts nothing", { draining: true, openCalls: 1, startable: 1 }, { do: "give back" }],
    ["gives the job back when only waits are in flight", { draining: true, ...ASLEEP }, { do: "give back" }],
    ["waits for the running steps", { draining: true, openCalls: 1, runningSteps: 1 }, { do: "save", alarmMs: null }],
    [
      "waits for what is being made or saved",
      { draining: true, openCalls: 1, effects: 1 },
      { do: "save", alarmMs: null },
    ],
    [
      "waits for code that awaits something of its own, which may end in time",
      { draining: true },
      { do: "save", alarmMs: null },
    ],
  ]);
});

test("reads nothing that it does not need: a handler that threw needs no look at the waits", () => {
  const read: string[] = [];
  const watched = new Proxy(
    { ...IDLE, handler: "threw" as const },
    {
      get(target, key) {
        read.push(String(key));
        return Reflect.get(target, key);
      },
    },
  );
  expect(decideNext(watched)).toEqual({ do: "fail" });
  expect(read.sort()).toEqual(["handler", "runningSteps"]);
});
