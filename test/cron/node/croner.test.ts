/**
 * Where does Belfry differ from croner 11, in UTC, over the grammar that both have?
 *
 * Random expressions go to both. Where the answers differ, one of the reasons below must hold, each of which stands in
 * docs/cron.md in the same words; a difference without a reason fails. (In zones with DST the two differ by design, and
 * croner is wrong on some nights: that is not compared here.)
 */
import { readFileSync } from "node:fs";
import { Cron as Croner } from "croner";
import { describe, expect, it } from "vitest";
import { Cron } from "../../../src/cron/mod.ts";
import { plan, Random } from "../generate.ts";

/** What croner refuses and Belfry takes: its message, and the words for it. */
const REFUSED = [
  [/From value is larger than to value/, "ranges that wrap"],
  [/stepping with numeric prefix/, "`N/K`"],
  [/L has to be a value of its own/, "`L-N`"],
  [/LW can not be in a list/, "`LW` in a list"],
] as const;

/** What croner takes and Belfry refuses, with the words for it. */
const TAKEN = [
  ["0 0 0 1 1 * 2027", "a year field"],
  ["0-30/40 * * * *", "a step larger than its range"],
  ["5-5/2 * * * *", "a step larger than its range"],
  ["0 0 * * 1-5#2", "a range before `#`"],
] as const;

const SUNDAY_LAST = "`SUN` as the end of a range";

const docs = readFileSync(new URL("../../../docs/cron.md", import.meta.url), "utf8");

function theirs(expression: string, from: Date): string[] {
  return new Croner(expression, { timezone: "UTC", paused: true }).nextRuns(4, from).map((at) => at.toISOString());
}

describe("against croner 11", () => {
  it("8,000 random expressions differ for the reasons listed only", { timeout: 120_000 }, () => {
    const random = new Random(11);
    const seen = new Map<string, number>();
    const note = (reason: string): void => void seen.set(reason, (seen.get(reason) ?? 0) + 1);
    for (let i = 0; i < 8_000; i++) {
      const { text } = plan(random);
      const from = new Date(random.int(Date.UTC(2000, 0) / 1000, Date.UTC(2050, 0) / 1000) * 1000);
      const ours = new Cron(text).take(4, from).map((at) => at.toISOString());
      let other: string[];
      try {
        other = theirs(text, from);
      } catch (error) {
        const reason = REFUSED.find(([message]) => message.test((error as Error).message));
        if (!reason) throw new Error(`croner refuses ${JSON.stringify(text)}`, { cause: error });
        note(reason[1]);
        continue;
      }
      if (other.join() === ours.join()) note("same");
      else if (/-sun/i.test(text)) note(SUNDAY_LAST);
      else expect.fail(`${JSON.stringify(text)} from ${from.toISOString()}: ours ${ours}, croner's ${other}`);
    }
    expect(seen.get("same")).toBeGreaterThan(1_500);
    for (const [, words] of REFUSED) {
      expect(seen.get(words), words).toBeGreaterThan(0);
      expect(docs).toContain(words);
    }
    expect(docs).toContain(SUNDAY_LAST);
  });

  it.each(TAKEN)("%s is taken by croner and refused here: %s", (expression, words) => {
    expect(theirs(expression, new Date(0)).length).toBeGreaterThan(0);
    expect(() => new Cron(expression)).toThrow("Cannot read the expression");
    expect(docs).toContain(words);
  });

  it("0-SUN is Sunday alone, which croner takes for the whole week", () => {
    const from = new Date("2026-01-01T00:00:00Z");
    expect(new Cron("0 0 * * 0-SUN").take(2, from).map((at) => at.getUTCDay())).toEqual([0, 0]);
    expect(theirs("0 0 * * 0-SUN", from).map((at) => new Date(at).getUTCDay())).toEqual([5, 6, 0, 1]);
    expect(new Cron("0 0 * * MON-SUN").take(3, from).map((at) => at.getUTCDay())).toEqual([5, 6, 0]);
  });

  it("in zones it is near the Vixie rule, but fixed times of a repeated hour come twice", () => {
    const options = { timeZone: "America/New_York", dst: "vixie" } as const;
    const march = new Date("2026-03-08T00:00:00Z");
    const [croners] = new Croner("30 2 * * *", { timezone: options.timeZone, paused: true }).nextRuns(1, march);
    expect(new Cron("30 2 * * *", options).next(march)).toEqual(croners);
    const november = new Date("2026-11-01T06:06:00Z");
    const twice = new Croner("15,45 0-3 * * *", { timezone: options.timeZone, paused: true }).nextRuns(1, november);
    expect(twice[0]?.toISOString()).toBe("2026-11-01T06:15:00.000Z");
    expect(new Cron("15,45 0-3 * * *", options).next(november)?.toISOString()).toBe("2026-11-01T07:15:00.000Z");
  });
});
