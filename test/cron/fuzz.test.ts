/**
 * Does any string crash the reader, hang it, or get taken as something that its own text does not reproduce?
 *
 * Strings are made from pieces of the grammar, cut, doubled and mixed with noise, so that a good part is nearly right;
 * a quarter is right. Of what is taken, the text must be its own text, and the next occurrence the same.
 */
import { describe, expect, it } from "vitest";
import { Cron, CronSyntaxError } from "../../src/cron/mod.ts";
import { plan, Random } from "./generate.ts";
import { randomCases } from "./long.ts";

const STRINGS = randomCases(1_000_000, 200_000);

const PIECES =
  "* */5 5 0 59 60 1-5 22-2 20-5/3 N/2 7/7 L LW 15W L-3 W MON FRI#2 5L SUN#L JAN MAY-AUG ? , - / # H H/5 H(1-5) @ @daily @every 1h30m 0x1 1e3 +1 -1 1.5 é ５ \t \n 2026 999999999999".split(
    " ",
  );

function text(random: Random): string {
  if (random.chance(0.25)) return plan(random).text;
  if (random.chance(0.3)) {
    // One character of something right is changed, dropped or doubled.
    const right = plan(random).text;
    const at = random.int(0, right.length - 1);
    const other = random.pick([
      "",
      right[at]! + right[at]!,
      random.pick(PIECES),
      String.fromCharCode(random.int(0, 0x17f)),
    ]);
    return right.slice(0, at) + other + right.slice(at + 1);
  }
  const words: string[] = [];
  for (let i = random.int(0, 7); i > 0; i--) {
    words.push(
      Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => random.pick(PIECES)).join(
        random.pick(["", ",", "-", "/"]),
      ),
    );
  }
  return words.join(" ");
}

describe("the reader", () => {
  it(`takes or refuses ${STRINGS} strings, and what it takes it writes and reads again`, { timeout: 600_000 }, () => {
    const random = new Random(1_000_000);
    const after = Date.UTC(2026, 1, 27, 13, 14, 15);
    let taken = 0;
    let slowest = 0;
    let slow = "";
    for (let i = 0; i < STRINGS; i++) {
      const expression = text(random);
      const seed = i % 2 ? "seed" : undefined;
      const timeZone = i % 3 ? "UTC" : "America/New_York";
      let cron: Cron;
      try {
        cron = new Cron(expression, { seed, timeZone });
      } catch (error) {
        if (error instanceof CronSyntaxError && error.message.includes("^")) continue;
        throw new Error(`${JSON.stringify(expression)}: ${String(error)}`, { cause: error });
      }
      taken++;
      if (taken % 8 > 0) continue;
      const again = new Cron(cron.text, { timeZone });
      const started = performance.now();
      const next = cron.nextMs(after);
      const took = performance.now() - started;
      // Clocks may be coarse (1 ms in workerd) and machines busy: what looks slow is asked fifty times over.
      if (took > slowest) {
        const second = performance.now();
        for (let n = 0; n < 50; n++) new Cron(cron.text, { timeZone }).nextMs(after);
        const least = Math.min(took, (performance.now() - second) / 50);
        if (least > slowest) [slowest, slow] = [least, expression];
      }
      if (again.text !== cron.text || again.nextMs(after) !== next) {
        expect.fail(
          `${JSON.stringify(expression)} is written ${JSON.stringify(cron.text)}, read again as ${JSON.stringify(again.text)}`,
        );
      }
    }
    expect(taken).toBeGreaterThan(STRINGS / 5);
    expect(slowest, slow).toBeLessThan(1);
  });
});
