/** Registering over a stored schedule: each row of the table in `transition.ts`, and the options that cut it short. */
import { describe, expect, test } from "vitest";
import { DEFAULTS, type ReadSchedule, rulesOf, type ScheduleDefinition } from "../../src/schedule/definition.ts";
import { closeOutOf, type Transition, transition } from "../../src/schedule/transition.ts";
import type { ScheduleRecord } from "../../src/storage/port.ts";
import { DAY, HOUR, MINUTE, START } from "./kit.ts";

const NOW = START + 12 * HOUR + 30 * MINUTE;
const hour = (n: number): number => START + n * HOUR;

const define = (fields: Partial<ScheduleDefinition>): ReadSchedule =>
  rulesOf({ ...DEFAULTS, task: "work", expression: "0 * * * *", ...fields }, START, undefined);

const row = (fields: Partial<ScheduleRecord>): ScheduleRecord => ({
  name: "s",
  definition: "",
  state: "active",
  nextAt: hour(10),
  revision: 4,
  fired: 9,
  skips: 5,
  failures: 2,
  pauseAfterFailures: null,
  watchesJobs: false,
  lastAt: hour(9),
  note: null,
  owner: null,
  createdAt: START,
  updatedAt: hour(9),
  ...fields,
});

const short = ({ fields, outcomes }: Transition): string => {
  const { state, nextAt, fired, lastAt, failures } = fields;
  const at = (instant: number | null): string =>
    instant === null ? "never" : new Date(instant).toISOString().slice(8, 16).replace("T", " ");
  const missed = outcomes.map(({ at: from, untilAt, reason }) =>
    from === untilAt ? `${at(from)} ${reason ?? "fires"}` : `${at(from)} to ${at(untilAt)} ${reason}`,
  );
  return `${state}, next ${at(nextAt)}, fired ${fired}, last ${at(lastAt)}, failures ${failures} | ${missed.join(", ")}`;
};

const UNREADABLE = new Error("a newer version wrote it");
const HOURLY = define({});
const AT_15 = define({ expression: "15 * * * *" });

type Row = [
  what: string,
  stored: Partial<ScheduleRecord>,
  read: ReadSchedule | Error,
  next: ReadSchedule,
  becomes: string,
];
const TABLE: Row[] = [
  [
    "active, same timing: what is missed stays due",
    {},
    HOURLY,
    define({ priority: 5 }),
    "active, next 01 10:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "active, changed timing: the old policies decide what is missed",
    {},
    HOURLY,
    AT_15,
    "active, next 01 13:15, fired 12, last 01 12:00, failures 2 | 01 10:00 fires, 01 11:00 fires, 01 12:00 fires",
  ],
  [
    "active, changed timing and policies: the old policies decide, not the new",
    {},
    define({ catchUp: "latest" }),
    define({ expression: "15 * * * *", catchUp: "all" }),
    "active, next 01 13:15, fired 10, last 01 12:00, failures 2 | 01 10:00 to 01 11:00 catch-up, 01 12:00 fires",
  ],
  [
    "active, changed timing, nothing missed",
    { nextAt: hour(13), lastAt: hour(12) },
    HOURLY,
    AT_15,
    "active, next 01 13:15, fired 9, last 01 12:00, failures 2 | ",
  ],
  [
    "paused, same timing: the place is kept",
    { state: "paused" },
    HOURLY,
    define({ priority: 5 }),
    "paused, next 01 10:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "paused, changed timing: what is missed is recorded as paused",
    { state: "paused" },
    HOURLY,
    AT_15,
    "paused, next 01 13:15, fired 9, last 01 12:00, failures 2 | 01 10:00 to 01 12:00 paused",
  ],
  [
    "ended, same timing with a later end: planned from now",
    { state: "ended", nextAt: null },
    define({ endAt: hour(9) }),
    HOURLY,
    "active, next 01 13:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "ended, changed timing: nothing is closed out",
    { state: "ended", nextAt: null },
    HOURLY,
    AT_15,
    "active, next 01 13:15, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "broken and readable, same timing: what is missed stays due",
    { state: "broken", note: "why" },
    HOURLY,
    HOURLY,
    "active, next 01 10:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "broken and readable, changed timing: the old policies decide what is missed",
    { state: "broken", nextAt: hour(12) },
    HOURLY,
    AT_15,
    "active, next 01 13:15, fired 10, last 01 12:00, failures 2 | 01 12:00 fires",
  ],
  [
    "broken and unreadable, the new timing has its place: kept",
    { state: "broken" },
    UNREADABLE,
    HOURLY,
    "active, next 01 10:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "broken and unreadable, the new timing does not have its place: planned from now",
    { state: "broken" },
    UNREADABLE,
    AT_15,
    "active, next 01 13:15, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "paused changes from true to false: active again, failures forgotten, what is missed stays due",
    { state: "paused" },
    define({ paused: true }),
    HOURLY,
    "active, next 01 10:00, fired 9, last 01 09:00, failures 0 | ",
  ],
  [
    "paused changes from false to true",
    {},
    HOURLY,
    define({ paused: true }),
    "paused, next 01 10:00, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "a new end before the kept place",
    { nextAt: hour(13) },
    HOURLY,
    define({ endAt: hour(12) }),
    "ended, next never, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "a new maxFires that is used up",
    {},
    HOURLY,
    define({ maxFires: 9 }),
    "ended, next never, fired 9, last 01 09:00, failures 2 | ",
  ],
  [
    "closing out uses maxFires up",
    { fired: 0 },
    HOURLY,
    define({ expression: "15 * * * *", maxFires: 3 }),
    "ended, next never, fired 3, last 01 12:00, failures 2 | 01 10:00 fires, 01 11:00 fires, 01 12:00 fires",
  ],
  [
    "a clock that ran ahead has decided until tomorrow: never back before that",
    { nextAt: START + DAY + HOUR, lastAt: START + DAY },
    HOURLY,
    AT_15,
    "active, next 02 00:15, fired 9, last 02 00:00, failures 2 | ",
  ],
];

describe("registering over a stored schedule", () => {
  test.each(TABLE)("%s", (_, fields, read, next, becomes) => {
    expect(short(transition({ record: row(fields), read }, next, NOW))).toBe(becomes);
  });

  test("where nothing is stored: the first occurrence after now, or paused, or ended", () => {
    expect(short(transition(null, HOURLY, NOW))).toBe("active, next 01 13:00, fired 0, last never, failures 0 | ");
    expect(short(transition(null, define({ paused: true }), NOW))).toBe(
      "paused, next 01 13:00, fired 0, last never, failures 0 | ",
    );
    expect(short(transition(null, define({ endAt: hour(12) }), NOW))).toBe(
      "ended, next never, fired 0, last never, failures 0 | ",
    );
  });

  test("a new definition has skipped nothing yet", () => {
    expect(transition({ record: row({}), read: HOURLY }, define({ priority: 1 }), NOW).fields.skips).toBe(0);
  });

  test("a paused schedule keeps its note, an active one has none", () => {
    const note = "deploy";
    const stored = { record: row({ state: "paused", note }), read: HOURLY };
    expect(transition(stored, AT_15, NOW).fields.note).toBe(note);
    expect(transition({ record: row({ state: "broken", note }), read: HOURLY }, AT_15, NOW).fields.note).toBeNull();
  });

  test("closeOutOf() finds nothing to do where nothing is due or the timing stays", () => {
    expect(closeOutOf({ record: row({ nextAt: NOW + 1 }), read: HOURLY }, AT_15, NOW)).toBe("nothing");
    expect(closeOutOf({ record: row({ nextAt: NOW }), read: HOURLY }, AT_15, NOW)).toBe("decide");
    expect(closeOutOf({ record: row({}), read: HOURLY }, define({ overlap: "skip" }), NOW)).toBe("nothing");
    expect(closeOutOf({ record: row({ state: "paused" }), read: HOURLY }, AT_15, NOW)).toBe("skip");
  });
});
