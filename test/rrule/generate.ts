/** Which rules do the property tests try? All parts, each only where RFC 5545 allows it. */
import type { Random } from "../cron/generate.ts";

const DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/** Frequencies from the finest to the coarsest. */
export const FREQUENCIES = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"] as const;
export type Frequency = (typeof FREQUENCIES)[number];

/** Makes a rule without an end. */
export function randomRule(random: Random, freq: Frequency): string {
  const parts = [`FREQ=${freq}`];
  const numbers = (count: number, make: () => number): string =>
    [...new Set(Array.from({ length: random.int(1, count) }, make))].join();
  const signed = (max: number): number => (random.chance(0.3) ? -random.int(1, max) : random.int(1, max));
  const daily = freq === "DAILY" || freq === "WEEKLY" || freq === "MONTHLY" || freq === "YEARLY";
  if (random.chance(0.5)) parts.push(`INTERVAL=${random.int(2, daily ? 5 : 100)}`);
  let by = 0;
  const add = (name: string, value: string): void => {
    parts.push(`${name}=${value}`);
    by++;
  };
  const weeks = freq === "YEARLY" && random.chance(0.15);
  if (random.chance(0.25))
    add(
      "BYMONTH",
      numbers(4, () => random.int(1, 12)),
    );
  const months = by > 0;
  // Weeks, days of the year and of the month together leave hardly anything.
  if (weeks)
    add(
      "BYWEEKNO",
      numbers(3, () => signed(53)),
    );
  else if ((freq === "YEARLY" || !daily) && random.chance(0.15))
    add(
      "BYYEARDAY",
      numbers(4, () => signed(366)),
    );
  else if (freq !== "WEEKLY" && random.chance(0.25))
    add(
      "BYMONTHDAY",
      numbers(4, () => signed(31)),
    );
  if (random.chance(0.4) || weeks) {
    const nth = (freq === "MONTHLY" || freq === "YEARLY") && !weeks && random.chance(0.5);
    const most = freq === "YEARLY" && !months ? 53 : 5;
    const days = Array.from({ length: random.int(1, 4) }, () => `${nth ? signed(most) : ""}${random.pick(DAYS)}`);
    add("BYDAY", [...new Set(days)].join());
  }
  if (random.chance(0.3))
    add(
      "BYHOUR",
      numbers(3, () => random.int(0, 23)),
    );
  if (random.chance(0.3))
    add(
      "BYMINUTE",
      numbers(3, () => random.int(0, 59)),
    );
  if (random.chance(0.15))
    add(
      "BYSECOND",
      numbers(3, () => random.int(0, 59)),
    );
  if (by > 0 && random.chance(0.25)) parts.push(`BYSETPOS=${numbers(2, () => signed(4))}`);
  if (random.chance(0.3)) parts.push(`WKST=${random.pick(DAYS)}`);
  return parts.join(";");
}
