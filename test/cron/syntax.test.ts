/** What is in the grammar, what is not, and does a refusal help? */
import { describe, expect, it } from "vitest";
import { Cron, CronSyntaxError } from "../../src/cron/mod.ts";

function refusal(expression: string, seed?: string): CronSyntaxError {
  try {
    new Cron(expression, { seed });
  } catch (error) {
    if (error instanceof CronSyntaxError) return error;
    throw error;
  }
  return expect.fail(`${JSON.stringify(expression)} was taken`);
}

/** The values that a minute field gives. */
function minutes(field: string): number[] {
  return new Cron(`${field} 0 1 1 *`)
    .take(60, Date.UTC(2026, 0, 1) - 1)
    .filter((at) => at < new Date(Date.UTC(2026, 0, 2)))
    .map((at) => at.getUTCMinutes());
}

/** The days of January 2026, which begins on a Thursday, that two day fields give. */
function january(day: string, weekday: string, days: "or" | "and" = "or"): number[] {
  const cron = new Cron(`0 0 ${day} 1 ${weekday}`, { days });
  return [...cron.between(Date.UTC(2026, 0, 1) - 1, Date.UTC(2026, 1, 1) - 1)].map((at) => at.getUTCDate());
}

describe("items of a field", () => {
  it.each([
    ["5", [5]],
    ["05", [5]],
    ["1,3,2", [1, 2, 3]],
    ["10-14", [10, 11, 12, 13, 14]],
    ["*/20", [0, 20, 40]],
    ["*/60", [0]],
    ["10-30/10", [10, 20, 30]],
    ["50/4", [50, 54, 58]],
    ["55-5/3", [1, 4, 55, 58]],
    ["57-2", [0, 1, 2, 57, 58, 59]],
    ["31,32", [31, 32]],
    ["0-59/59", [0, 59]],
  ])("minute %s", (field, expected) => expect(minutes(field)).toEqual(expected));

  it.each([
    ["L", "*", [31]],
    ["L-2", "*", [29]],
    ["L-0", "*", [31]],
    ["LW", "*", [30]],
    ["l,15w", "*", [15, 31]],
    ["31W", "*", [30]],
    ["4W", "*", [5]],
    ["3W", "*", [2]],
    ["29-2", "*", [1, 2, 29, 30, 31]],
    ["25-3/4", "*", [2, 25, 29]],
    ["*", "MON#2", [12]],
    ["*", "1#5", []],
    ["*", "4#5", [29]],
    ["*", "FRIL", [30]],
    ["*", "5#L,SUN", [4, 11, 18, 25, 30]],
    ["*", "SAT-MON", [3, 4, 5, 10, 11, 12, 17, 18, 19, 24, 25, 26, 31]],
    ["*", "5/2", [2, 4, 9, 11, 16, 18, 23, 25, 30]],
    ["*", "7-1", [4, 5, 11, 12, 18, 19, 25, 26]],
    ["*", "0-7/7", [4, 11, 18, 25]],
    ["?", "7#1", [4]],
    ["1-7", "MON", [1, 2, 3, 4, 5, 6, 7, 12, 19, 26]],
    ["*/10", "MON", [1, 5, 11, 12, 19, 21, 26, 31]],
  ])("days %s and weekdays %s", (day, weekday, expected) => expect(january(day, weekday)).toEqual(expected));

  it('days: "and" asks both day fields', () => {
    expect(january("1-7", "MON", "and")).toEqual([5]);
    expect(january("*", "MON#1", "and")).toEqual([5]);
  });

  it("1W never leaves the month: Saturday the 1st goes to Monday the 3rd, Sunday the 31st to Friday the 29th", () => {
    const first = new Cron("0 0 1W * *").next(Date.UTC(2026, 7, 1) - 1);
    expect(first?.toISOString()).toBe("2026-08-03T00:00:00.000Z");
    const last = new Cron("0 0 31W * *").next(Date.UTC(2026, 4, 3));
    expect(last?.toISOString()).toBe("2026-05-29T00:00:00.000Z");
  });
});

describe("canonical text", () => {
  it.each([
    ["  0 9\t* *  MON-FRI ", "0 9 * * 1-5"],
    ["0 0 9 * * *", "0 9 * * *"],
    ["15 0 9 ? jan,Mar ?", "15 0 9 * 1,3 *"],
    ["05 09 01W,lw * friL,MON#2", "5 9 1W,LW * 5L,1#2"],
    ["*/5 1-20/2 L-03 * 7", "*/5 1-20/2 L-3 * 7"],
    ["@Daily", "0 0 * * *"],
    ["@EVERY 1h30m", "@every 1h30m"],
  ])("of %s is %s", (expression, text) => {
    expect(String(new Cron(expression))).toBe(text);
    expect(new Cron(text).text).toBe(text);
  });

  it("keeps what the day and DST rules look at", () => {
    expect(new Cron("0-59 0-23 1-31 1-12 0-6").text).toBe("0-59 0-23 1-31 1-12 0-6");
    expect(new Cron("*/1 * */1 * *").text).toBe("*/1 * */1 * *");
  });
});

describe("H", () => {
  it("gives a stable value within the field, written as a number", () => {
    const cron = new Cron("H H(0-6) * * *", { seed: "report" });
    expect(new Cron("H H(0-6) * * *", { seed: "report" }).text).toBe(cron.text);
    expect(new Cron(cron.text).text).toBe(cron.text);
    expect(cron.text).toMatch(/^[0-5]?\d [0-6] \* \* \*$/);
  });

  it("spreads seeds evenly over the minutes", () => {
    const counts = new Array<number>(60).fill(0);
    for (let i = 0; i < 6_000; i++) counts[Number(new Cron("H * * * *", { seed: `task-${i}` }).text.split(" ")[0])]!++;
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(150);
  });

  it("H/15 begins anywhere within the step and goes on to the end", () => {
    for (let i = 0; i < 50; i++) {
      const [field] = new Cron("H/15 * * * *", { seed: `s${i}` }).text.split(" ");
      const [, first] = /^(\d+)-59\/15$/.exec(field!)!;
      expect(Number(first)).toBeLessThan(15);
    }
  });

  it("picks a day that each month has, and wraps a range that wraps", () => {
    for (let i = 0; i < 100; i++) {
      const [, hour, day] = new Cron("0 H(22-2) H * *", { seed: `s${i}` }).text.split(" ").map(Number);
      expect([22, 23, 0, 1, 2]).toContain(hour);
      expect(day).toBeLessThan(29);
    }
  });

  it("is one value where the rest of the range is shorter than the step", () => {
    // The fuzzer found H/16 written as 10-23/16, which is refused: 14 hours are left and the step is 16.
    for (let i = 0; i < 100; i++) {
      const cron = new Cron("0 H/16 * * *", { seed: `s${i}` });
      expect(new Cron(cron.text).take(5, 0)).toEqual(cron.take(5, 0));
    }
  });

  it("is refused without a seed, and a step larger than its range always", () => {
    expect(refusal("H * * * *").expected).toContain("seed");
    expect(refusal("0 0 H(0-0)/40 * *", "x").found).toBe("0");
    expect(refusal("H(1-5)/6 * * * *", "x").found).toBe("6");
  });
});

describe("@every", () => {
  it.each([
    "@every 0s",
    "@every",
    "@every 90",
    "@every 1.5h",
    "@every -1h",
    "@every 1h 30m",
    "@every 30m1h",
    "@every 1h1h",
    "@every 500ms",
    "@every 1H",
    "@every 1y",
    "@every1h",
    "@every 99999999999w",
    "@every 1h\n",
  ])("refuses %j", (expression) => {
    expect(refusal(expression).code).toBe("CRON_SYNTAX");
  });

  it("reads units, largest first", () => {
    expect(new Cron("@every 1w2d3h4m5s").intervalMs).toBe(((9 * 24 + 3) * 3600 + 4 * 60 + 5) * 1000);
    expect(new Cron("\t@every  90m ").text).toBe("@every 90m");
  });
});

describe("a refusal", () => {
  it("draws a caret under the place", () => {
    const error = refusal("0 9 * * MON-FRY");
    expect(error.message).toBe(
      'Cannot read the expression: in day-of-week, found "FRY", expected 0-7 or a name like SUN\n' +
        '  0 9 * * MON-FRY\n              ^\ndid you mean "FRI"?',
    );
    const { expression, field, column, found, hint } = error;
    expect([expression, field, column, found, hint]).toEqual([
      "0 9 * * MON-FRY",
      "day-of-week",
      12,
      "FRY",
      'did you mean "FRI"?',
    ]);
    expect(error.name).toBe("CronSyntaxError");
  });

  it.each([
    ["@wekly", '"@weekly"'],
    ["@evry 5m", undefined],
    ["daily", '"@daily"'],
    ["* * * * MONN", '"MON"'],
    ["* * * JANUARY *", undefined],
    ["60 * * * *", "60 is 0 of the next"],
    ["0 24 * * *", "24 is 0 of the next"],
    ["*/90 * * * *", '"@every 90m"'],
    ["* * * MON *", '"* * * * 1"'],
    ["30 9 * * MON-FRI 0", '"30 9 * * 1-5"'],
    ["@reboot", "where your program starts"],
  ])("of %s hints at %s", (expression, hint) => {
    const found = refusal(expression).hint;
    if (hint === undefined) expect(found ?? "").not.toContain("@reboot");
    else expect(found).toContain(hint);
  });

  it.each([
    ["1,,2 * * * *", 2, ""],
    ["* * * * ", 0, "* * * *"],
    ["1 2 3 4 5 6 7", 0, "1 2 3 4 5 6 7"],
    ["* * 1-32 * *", 6, "32"],
    ["10-20/0 * * * *", 6, "0"],
    ["5-5/2 * * * *", 4, "2"],
    ["* * L-31 * *", 6, "31"],
    ["* * * * 1#6", 8, "1#6"],
    ["\u017fUN * * * *", 0, "\u017f"],
    ["* * * *\u00a0*", 7, "\u00a0"],
    ["* * * * *\n", 9, "\n"],
    ["+5 * * * *", 0, "+5"],
    ["0x1F * * * *", 0, "0X1F"],
    ["1_0 * * * *", 0, "1_0"],
    ["* * * * 1MON", 8, "1MON"],
    ["* * * JAN1 *", 6, "JAN1"],
    ["* * * */JAN *", 6, "*/JAN"],
    ["* * 15/W * *", 4, "15/W"],
    ["* * L/2 * *", 4, "L"],
    ["* * ?,1 * *", 4, "?"],
    ["* * ?/2 * *", 4, "?/2"],
    ["* * * * THUR", 8, "THUR"],
    ["constructor", 0, "constructor"],
    ["@constructor", 0, "@constructor"],
  ])("of %j points at column %d", (expression, column, found) => {
    const error = refusal(expression);
    expect([error.column, error.found.toUpperCase()]).toEqual([column, found.toUpperCase()]);
  });
});
