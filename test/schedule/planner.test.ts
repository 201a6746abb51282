/** The planner on its own: whatever it decides, and however it is cut into pieces, each occurrence is decided once. */
import { describe, expect, test } from "vitest";
import { Excluded } from "../../src/schedule/exclude.ts";
import { merge, type Overlap, type PlannedOutcome, type PlanRules, plan } from "../../src/schedule/planner.ts";
import { Timing } from "../../src/schedule/timing.ts";
import { type Random, seededRandom } from "../../src/testing/random.ts";
import { DAY, HOUR, MINUTE, SECOND, START } from "./kit.ts";

const EXPRESSIONS = ["*/5 * * * *", "@every 90s", "0 */3 * * *", "30 2 * * *", "*/20 * * * * *", "7 9-17 * * MON-FRI"];

function drawRules(random: Random): PlanRules {
  const timeZone = random.pick(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]);
  const expression = random.pick(EXPRESSIONS);
  const startAt = random.chance(0.2) ? START + random.below(DAY) : null;
  const endAt = random.chance(0.2) ? START + DAY + random.below(3 * DAY) : null;
  const rule = {
    expression,
    timeZone,
    days: "or",
    dst: random.pick(["once", "vixie"] as const),
    startAt,
    endAt,
  } as const;
  return {
    timing: new Timing(rule, START, undefined),
    excluded: random.chance(0.3)
      ? new Excluded(["2026-01-02", "2026-01-03T06:00:00.000Z/2026-01-03T18:00:00.000Z"], {
          timeZone,
          temporal: undefined,
        })
      : null,
    catchUp: {
      withinMs: random.pick([Infinity, MINUTE, 6 * HOUR, 2 * DAY]),
      max: random.pick([Infinity, 1, 3, 50]),
    },
    expiresInMs: random.pick([null, null, HOUR, DAY]),
    overlap: random.pick<Overlap>(["allow", "skip", "queue", "cancel"]),
    maxFires: random.pick([null, null, 5, 100]),
  };
}

/** Plans piece by piece until nothing is due. */
function inPieces(rules: PlanRules, now: number, busy: boolean, limits: { maxFires: number; maxSteps: number }) {
  const outcomes: PlannedOutcome[] = [];
  let state = { nextAt: rules.timing.next(START), fired: 0, lastAt: null as number | null, busy };
  let rounds = 0;
  for (let more = true; more; rounds++) {
    const part = plan(rules, state, now, limits);
    for (const outcome of part.outcomes) merge(outcomes, { ...outcome });
    const nowBusy = state.busy || part.outcomes.some(({ reason }) => reason === null);
    state = { nextAt: part.nextAt, fired: part.fired, lastAt: part.lastAt, busy: nowBusy };
    more = part.more;
  }
  return { outcomes, nextAt: state.nextAt, fired: state.fired, lastAt: state.lastAt, rounds };
}

describe("plan()", () => {
  test("gives the same outcomes however small the pieces are", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = seededRandom(seed);
      const rules = drawRules(random);
      const now = START + random.below(4 * DAY);
      const busy = random.chance(0.3);
      const whole = inPieces(rules, now, busy, { maxFires: 1e9, maxSteps: 1e9 });
      const pieces = inPieces(rules, now, busy, { maxFires: 1 + random.below(9), maxSteps: 1 + random.below(40) });
      // Under "cancel" and "skip" a piece knows the jobs of the pieces before it only as busy: the same here.
      expect({ ...pieces, rounds: 0 }, `seed ${seed}`).toEqual({ ...whole, rounds: 0 });
    }
  });

  test("decides every due occurrence exactly once, in order, and stands at the next", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = seededRandom(seed);
      const rules = drawRules(random);
      const now = START + random.below(4 * DAY);
      const { outcomes, nextAt, fired, lastAt } = inPieces(rules, now, random.chance(0.3), {
        maxFires: 7,
        maxSteps: 30,
      });
      let expected = rules.timing.next(START);
      for (const { at, untilAt, count, reason } of outcomes) {
        expect(at, `seed ${seed}`).toBe(expected);
        let counted = 1;
        let last = at;
        for (let next = rules.timing.next(at); next !== null && next <= untilAt; next = rules.timing.next(next)) {
          counted++;
          last = next;
        }
        expect([count, untilAt], `seed ${seed}`).toEqual([counted, last]);
        if (reason === null) expect(count).toBe(1);
        expected = rules.timing.next(untilAt);
      }
      const spent = rules.maxFires !== null && fired >= rules.maxFires;
      expect(nextAt, `seed ${seed}`).toBe(spent ? null : expected);
      expect(lastAt).toBe(outcomes.at(-1)?.untilAt ?? null);
      expect(fired).toBe(outcomes.filter(({ reason }) => reason === null).length);
      if (expected !== null && !spent) expect(expected).toBeGreaterThan(now);
      for (const { at, reason } of outcomes) {
        if (reason !== null) continue;
        expect(rules.expiresInMs === null || at > now - rules.expiresInMs).toBe(true);
        expect(at).toBeGreaterThanOrEqual(now - rules.catchUp.withinMs);
        expect(rules.excluded?.at(at) ?? null).toBeNull();
      }
      expect(fired).toBeLessThanOrEqual(rules.catchUp.max);
    }
  });

  test("a year of missed seconds under latest takes three steps", () => {
    const rule = {
      expression: "@every 1s",
      timeZone: "UTC",
      days: "or",
      dst: "once",
      startAt: null,
      endAt: null,
    } as const;
    const rules: PlanRules = {
      timing: new Timing(rule, START, undefined),
      excluded: null,
      catchUp: { withinMs: Infinity, max: 1 },
      expiresInMs: HOUR,
      overlap: "allow",
      maxFires: null,
    };
    const { outcomes, more } = plan(
      rules,
      { nextAt: START + SECOND, fired: 0, lastAt: null, busy: false },
      START + 365 * DAY,
      { maxFires: 10, maxSteps: 10 },
    );
    expect(more).toBe(false);
    expect(outcomes.map(({ count, reason }) => [count, reason])).toEqual([
      [365 * 86_400 - 3_600, "expired"],
      [3_599, "catch-up"],
      [1, null],
    ]);
  });
});
