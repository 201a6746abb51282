/** Are zones named, found and cut into periods as they should be, wherever the periods come from? */
import { Temporal as Polyfill } from "temporal-polyfill/implementation";
import { describe, expect, it } from "vitest";
import { BelfryError, Cron, resolveTimeZone, type TemporalLike } from "../../src/cron/mod.ts";
import { isSameZone, openZone } from "../../src/cron/zone.ts";
import names from "../data/zone-names.json" with { type: "json" };
import { ZONES } from "./generate.ts";
import { LONG } from "./long.ts";

/** A Temporal that is too old to be used: periods then come from `Intl`. */
const NONE = { ZonedDateTime: { prototype: {} }, Instant: {} } as unknown as TemporalLike;
const native = (globalThis as { Temporal?: TemporalLike }).Temporal;

type Change = readonly [second: number, offset: number];

/** The changes of a zone, however its periods are cut. */
function changes(name: string, temporal: TemporalLike, from: number, to: number): Change[] {
  const zone = openZone(name, temporal);
  const list: Change[] = [];
  for (let at = from; at < to; ) {
    const { start, end, offset, jump } = zone.at(at);
    expect(start).toBeLessThanOrEqual(at);
    expect(end).toBeGreaterThan(at);
    if (list.length === 0) list.push([from, offset]);
    else if (list.at(-1)![1] !== offset) {
      expect(jump, `${name} at ${start}`).toBe(offset - list.at(-1)![1]);
      list.push([start, offset]);
    }
    at = end;
  }
  return list;
}

describe("periods", () => {
  const all = Intl.supportedValuesOf("timeZone");
  // Each third zone beside the unusual ones; all of them in the long run.
  const sample = LONG
    ? all
    : [...new Set([...ZONES, ...all.filter((_, i) => i % 6 === 0)])].filter((name) => name.includes("/"));
  const from = Date.UTC(1990, 0) / 1000;
  const to = Date.UTC(2038, 0) / 1000;

  it(`from Temporal, from Intl and from temporal-polyfill are the same in ${sample.length} zones, 1990 to 2038`, {
    timeout: 300_000,
  }, () => {
    let count = 0;
    for (const name of sample) {
      const intl = changes(name, NONE, from, to);
      expect(changes(name, Polyfill, from, to), name).toEqual(intl);
      if (native) expect(changes(name, native, from, to), name).toEqual(intl);
      count += intl.length - 1;
    }
    expect(count).toBeGreaterThan(sample.length * 5);
  });

  it("never change twice within six days, so that a change is compared with one period only", {
    timeout: 300_000,
  }, () => {
    const temporal = native ?? Polyfill;
    for (const name of LONG ? all : sample.slice(0, 60)) {
      const list = changes(name, temporal, Date.UTC(1900, 0) / 1000, Date.UTC(2050, 0) / 1000);
      for (let i = 2; i < list.length; i++)
        expect(list[i]![0] - list[i - 1]![0], `${name} ${list[i]![0]}`).toBeGreaterThan(6 * 86_400);
    }
  });

  it("have whole seconds: Amsterdam was 17 minutes 30 seconds ahead in 1912, Monrovia 44:30 behind until 1972", () => {
    for (const temporal of [native ?? Polyfill, NONE, Polyfill]) {
      expect(openZone("Africa/Monrovia", temporal).at(Date.UTC(1971, 0) / 1000).offset).toBe(-(44 * 60 + 30));
      const [, change] = changes("Africa/Monrovia", temporal, Date.UTC(1972, 0) / 1000, Date.UTC(1973, 0) / 1000);
      expect(change).toEqual([Date.UTC(1972, 0, 7, 0, 44, 30) / 1000, 0]);
    }
  });

  it("give equal occurrences from each source", () => {
    for (const timeZone of ZONES) {
      const [first, ...others] = [NONE, Polyfill, native].map((temporal) =>
        new Cron("17 */3 * * *", { timeZone, temporal }).take(300, Date.UTC(2025, 1, 20)).map(Number),
      );
      for (const other of others) expect(other, timeZone).toEqual(first);
    }
  });

  it("a Temporal that is passed in is the one that is asked", () => {
    let asked = 0;
    const spy: TemporalLike = {
      ZonedDateTime: Polyfill.ZonedDateTime,
      Instant: {
        fromEpochMilliseconds(ms) {
          asked++;
          return Polyfill.Instant.fromEpochMilliseconds(ms);
        },
      },
    };
    new Cron("0 9 * * *", { timeZone: "Europe/Vienna", temporal: spy }).next(0);
    expect(asked).toBeGreaterThan(0);
  });
});

describe("resolveTimeZone()", () => {
  it.each([
    ["UTC", "UTC"],
    ["utc", "UTC"],
    ["Etc/UTC", "UTC"],
    ["europe/oslo", "Europe/Oslo"],
    ["AMERICA/NEW_YORK", "America/New_York"],
    ["asia/kolkata", "Asia/Kolkata"],
    ["Asia/Kolkata", "Asia/Kolkata"],
    ["Asia/Calcutta", "Asia/Calcutta"],
    ["US/Eastern", "US/Eastern"],
    ["us/eastern", "US/Eastern"],
    ["EUROPE/KYIV", "Europe/Kyiv"],
    ["europe/kiev", "Europe/Kiev"],
    ["gb-eire", "GB-Eire"],
    ["etc/gmt+5", "Etc/GMT+5"],
    ["+05:30", "+05:30"],
    ["-00:45", "-00:45"],
    ["+00:00", "+00:00"],
  ])("%s is %s", (name, expected) => {
    expect(resolveTimeZone(name)).toBe(expected);
    expect(new Cron("* * * * *", { timeZone: name }).timeZone).toBe(expected);
  });

  it("spells all 597 names of tzdata as IANA does, whatever their case and whatever the runtime says", () => {
    expect(names).toHaveLength(597);
    for (const name of names) {
      const expected = name === "Etc/UTC" ? "UTC" : name;
      for (const written of [name, name.toLowerCase(), name.toUpperCase()]) {
        let stored = expected;
        try {
          stored = resolveTimeZone(written);
        } catch {
          // A runtime need not know the oldest aliases.
        }
        expect(stored).toBe(expected);
      }
    }
    const known = new Set(Intl.supportedValuesOf("timeZone").map((name) => resolveTimeZone(name)));
    expect([...known].every((name) => names.includes(name) || /^[+-]/.test(name))).toBe(true);
  });

  it.each([
    ["Europe/Olso", "Europe/Oslo"],
    ["Oslo", "Europe/Oslo"],
    ["berlin", "Europe/Berlin"],
    ["America/NewYork", "America/New_York"],
    ["Amercia/Chicago", "America/Chicago"],
    ["New York", "America/New_York"],
    ["America/New York", "America/New_York"],
    ["newyork", "America/New_York"],
    ["São Paulo", "America/Sao_Paulo"],
    ["Kolkata", "Asia/Kolkata"],
    ["Europe/Berlin ", "Europe/Berlin"],
    ["UTC+2", "+02:00"],
    ["utc-5", "-05:00"],
    ["GMT+2", "+02:00"],
    ["GMT-0330", "-03:30"],
    ["UTC+05:30", "+05:30"],
    ["+5", "+05:00"],
    ["PDT", "America/Los_Angeles"],
    ["cest", "Europe/Berlin"],
  ])("no zone %s: did you mean %s?", (name, guess) => {
    const error = unknown(name);
    expect(error.code).toBe("ZONE_UNKNOWN");
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toContain(`did you mean "${guess}"?`);
    expect(resolveTimeZone(guess)).toBe(guess);
  });

  it.each([
    ["IST", "Asia/Kolkata or Asia/Jerusalem or Europe/Dublin"],
    ["cst", "America/Chicago or Asia/Shanghai or America/Havana"],
    ["BST", "Europe/London or Asia/Dhaka"],
    ["PST", "America/Los_Angeles or Asia/Manila"],
  ])("no zone %s: it is ambiguous", (name, meanings) => {
    expect(unknown(name).message).toBe(`No time zone "${name}" in this runtime; it is ambiguous: ${meanings}`);
    for (const zone of meanings.split(" or ")) expect(resolveTimeZone(zone)).toBe(zone);
  });

  it.each(["", " ", "x", "XYZ", "+25:00", "05:30", "+05:60", "Mars/Olympus", "Europe", "Nowhere", "UTC+99"])(
    "refuses %j, and suggests nothing where nothing is near",
    (name) => {
      expect(unknown(name).code).toBe("ZONE_UNKNOWN");
      expect(unknown(name).message).toBe(`No time zone "${name}" in this runtime`);
    },
  );

  it("refuses a name with a line break", () => {
    expect(unknown("UTC\n").message).toContain('did you mean "UTC"?');
  });

  it('"local" is the zone of the process, found when the schedule is made', () => {
    const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    expect(resolveTimeZone("local")).toBe(resolveTimeZone(own));
    expect(resolveTimeZone("LOCAL")).toBe(resolveTimeZone(own));
  });
});

describe("isSameZone()", () => {
  it.each([
    ["US/Eastern", "America/New_York"],
    ["Europe/Kyiv", "Europe/Kiev"],
    ["Asia/Calcutta", "Asia/Kolkata"],
    ["UTC", "UTC"],
    ["+05:30", "+05:30"],
  ])("%s is %s", (a, b) => {
    expect(isSameZone(a, b)).toBe(true);
    expect(isSameZone(b, a)).toBe(true);
    // The polyfill reads aliases from Intl, which knows fewer on Bun.
    if (!("Bun" in globalThis)) expect(isSameZone(a, b, Polyfill)).toBe(true);
  });

  it.each([
    ["Europe/Berlin", "Europe/Paris"],
    ["Asia/Kolkata", "+05:30"],
    ["+05:30", "+05:45"],
    ["Europe/Berlin", "UTC"],
  ])("%s is not %s", (a, b) => {
    expect(isSameZone(a, b)).toBe(false);
    expect(isSameZone(b, a, NONE)).toBe(false);
  });
});

function unknown(name: string): BelfryError {
  try {
    resolveTimeZone(name);
  } catch (error) {
    if (error instanceof BelfryError) return error;
    throw error;
  }
  return expect.fail(`${name} was taken`);
}
