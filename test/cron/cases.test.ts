/**
 * Do the cases hold that fifteen other libraries' suites, and two grids of DST and calendar dates, are made of?
 *
 * Each row cites its source. `expected` is the rule "once", `vixie` the other one where it differs.
 */
import { describe, expect, it } from "vitest";
import { Cron, CronSyntaxError } from "../../src/cron/mod.ts";
import cases from "../data/cron-cases.json" with { type: "json" };
import invalid from "../data/cron-invalid.json" with { type: "json" };

interface Case {
  id: string;
  expr: string;
  tz: string;
  from: string;
  expected: string[];
  vixie?: string[];
  days?: string;
  dir?: string;
  source: string;
}

/**
 * A row without `vixie` though that rule gives another answer: backwards through the repeated hour of Athens. The same
 * night forwards, c0828, has it.
 */
const MISSING_VIXIE = new Set(["c0830"]);

/** tzdata 2026b and 2026c disagree on these from 2026 on, and runtimes carry one or the other: what is later is not compared. */
const DISPUTED = ["Africa/Casablanca", "Africa/El_Aaiun", "America/Vancouver", "America/Edmonton", "Europe/Chisinau"];

const rows = cases as Case[];

function undisputed(row: Case, list: readonly string[]): readonly string[] {
  return DISPUTED.includes(row.tz) ? list.filter((at) => at < "2026") : list;
}

function occurrences(row: Case, dst: "once" | "vixie", expression: string = row.expr): string[] {
  const cron = new Cron(expression, { timeZone: row.tz, days: row.days === "and" ? "and" : "or", dst });
  const list: string[] = [];
  let at: Date | null = new Date(row.from);
  for (let i = 0; i < Math.max(1, row.expected.length); i++) {
    at = row.dir === "prev" ? cron.previous(at) : cron.next(at);
    if (at === null) break;
    list.push(at.toISOString().replace(".000Z", "Z"));
  }
  return list;
}

describe.each(["once", "vixie"] as const)("cases under the rule %s", (dst) => {
  const applicable = rows.filter((row) => !(dst === "vixie" && MISSING_VIXIE.has(row.id)));

  it.each(applicable)("$id: $expr in $tz from $from ($source)", (row) => {
    const wanted = undisputed(row, dst === "vixie" ? (row.vixie ?? row.expected) : row.expected);
    expect(undisputed(row, occurrences(row, dst))).toEqual(wanted);
    const text = new Cron(row.expr, { timeZone: row.tz }).text;
    expect(undisputed(row, occurrences(row, dst, text))).toEqual(wanted);
  });
});

describe("expressions that are refused", () => {
  it.each(invalid as { expr: string; source: string }[])("$expr ($source)", ({ expr }) => {
    const error = refused(expr);
    expect(error.code).toBe("CRON_SYNTAX");
    expect(error.expression).toBe(expr);
    expect(error.column).toBeGreaterThanOrEqual(0);
    expect(error.column).toBeLessThanOrEqual(expr.length);
    expect(expr.slice(error.column, error.column + error.found.length)).toBe(error.found);
    expect(error.expected).not.toBe("");
  });
});

function refused(expression: string): CronSyntaxError {
  try {
    new Cron(expression);
  } catch (error) {
    if (error instanceof CronSyntaxError) return error;
    throw error;
  }
  return expect.fail(`${JSON.stringify(expression)} was taken`);
}
