/**
 * Does the product agree with the oracle of `oracle.ts`, whatever the expression, zone, instant and rule?
 *
 * Half of the instants lie within three hours of a change of the clock. Each rule is compared 100,000 times, a million times in a long run:
 * `next` and `previous` from random instants, and walks. The seed is fixed; a failure names everything needed to repeat it.
 */
import { describe, expect, it } from "vitest";
import { Cron } from "../../src/cron/mod.ts";
import { openZone } from "../../src/cron/zone.ts";
import { type Plan, plan, Random, ZONES } from "./generate.ts";
import { LONG, randomCases } from "./long.ts";
import { Oracle, OracleZone } from "./oracle.ts";

const FIRST = Date.UTC(1973, 0) / 1000;
// tzdata differs between runtimes for some of these zones after that.
const LAST = Date.UTC(2026, 0) / 1000;
const COMPARISONS = randomCases(1_000_000, 100_000);
/** How far the oracle searches; where it finds nothing by then, the product must find nothing either. */
const LIMIT = 400 * 86_400;

const zones = LONG ? ["UTC", "+05:30", ...Intl.supportedValuesOf("timeZone")] : ZONES;
const oracleZones = new Map(zones.map((name) => [name, new OracleZone(name)]));

/** Changes of the clock in a zone, in seconds. */
function changes(name: string): number[] {
  const list: number[] = [];
  const zone = openZone(name);
  for (let at = FIRST; at < LAST; ) {
    const period = zone.at(at);
    if (period.jump !== 0 && period.start > FIRST) list.push(period.start);
    at = period.end;
  }
  return [...new Set(list)];
}

const changesOf = new Map(zones.map((name) => [name, changes(name)]));

/**
 * The instants that are asked about, some for each zone, half of them near a change; a new expression meets each again,
 * so that the oracle need not query `Intl` again.
 */
const instants = new Map(
  zones.map((name, index): [string, number[]] => {
    const random = new Random(index);
    const list = changesOf.get(name)!;
    const pool = Array.from({ length: LONG ? 100 : 60 }, () =>
      list.length > 0 && random.chance(0.5)
        ? random.pick(list) + random.int(-3 * 3600, 3 * 3600)
        : random.int(FIRST, LAST),
    );
    return [name, pool];
  }),
);

function say(second: number | undefined | null): string {
  return second === undefined || second === null ? "none" : new Date(second * 1000).toISOString();
}

describe.each(["once", "vixie"] as const)("under the rule %s", (dst) => {
  it(`next() and previous() agree with the oracle ${COMPARISONS} times`, {
    timeout: LONG ? 3_600_000 : 600_000,
  }, () => {
    const random = new Random(dst === "once" ? 20261122 : 19870101);
    let comparisons = 0;
    let found = 0;
    let nearby = 0;
    while (comparisons < COMPARISONS) {
      const zone = random.pick(zones);
      const days = random.pick(["or", "or", "and"] as const);
      const planned: Plan = plan(random);
      const cron = new Cron(planned.text, { timeZone: zone, days, dst });
      const oracle = new Oracle(planned, oracleZones.get(zone)!, { days, dst });
      for (let i = 0; i < 4; i++) {
        const from = random.pick(instants.get(zone)!);
        if (changesOf.get(zone)!.some((at) => Math.abs(at - from) <= 3 * 3600)) nearby++;
        const fraction = random.chance(0.5) ? 0 : random.int(1, 999);
        // Sixteen occurrences on, then sixteen back; a fraction of a second must not matter but for its side.
        for (const way of [1, -1]) {
          let at = from;
          for (let step = 0; step < 16; step++) {
            const got = way > 0 ? cron.nextMs(at * 1000 + fraction) : cron.previousMs(at * 1000 - fraction);
            const wanted = way > 0 ? oracle.next(at, LIMIT) : oracle.previous(at, LIMIT);
            comparisons++;
            const early = got !== null && Math.abs(got / 1000 - at) <= LIMIT;
            if (wanted === undefined ? early : got !== wanted * 1000) {
              expect.fail(
                `${JSON.stringify(planned.text)} in ${zone}, days ${days}, dst ${dst}: ${way > 0 ? "after" : "before"} ` +
                  `${say(at)} expected ${say(wanted)}, got ${say(got === null ? null : got / 1000)}`,
              );
            }
            if (wanted === undefined) break;
            found++;
            at = wanted;
            // After the first step the walk stands on an occurrence, and a fraction would skip what it stands on.
            if (step === 0 && fraction > 0) break;
          }
        }
      }
    }
    expect(found).toBeGreaterThan(comparisons / 2);
    expect(nearby).toBeGreaterThan(COMPARISONS / 200);
  });
});
