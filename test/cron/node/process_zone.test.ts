/** Does the process's own time zone change anything? Each run is a process of its own with another TZ. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const entry = new URL("../../../src/cron/mod.ts", import.meta.url).href;
const program = `
  const { Cron } = await import(${JSON.stringify(entry)});
  const list = [];
  for (const timeZone of ["UTC", "America/New_York", "Australia/Lord_Howe", "+05:30"])
    for (const expression of ["*/20 * * * *", "30 2 * * *", "0 0 L * *", "15 1,2 * * SUN"])
      for (const dst of ["once", "vixie"]) {
        const cron = new Cron(expression, { timeZone, dst });
        for (const from of [Date.UTC(2025, 2, 8, 20), Date.UTC(2025, 9, 4), Date.UTC(2025, 10, 1, 20)])
          list.push(cron.take(12, from).map(Number), Number(cron.previous(from)), cron.describe(), cron.warnings(from));
      }
  const own = new Cron("0 9 * * *", { timeZone: "local" });
  process.stdout.write(JSON.stringify([list, own.timeZone, own.next(Date.UTC(2025, 0, 1))]));
`;

function run(TZ: string): [list: unknown, zone: string, next: string] {
  // Type stripping is on in the Node that runs the scripts of this repository.
  const node = fileURLToPath(new URL("../../../node_modules/.bin/node", import.meta.url));
  const env = { ...process.env, TZ, NODE_NO_WARNINGS: "1" };
  return JSON.parse(execFileSync(node, ["--input-type=module", "-e", program], { env, encoding: "utf8" }));
}

describe("the process's own zone", () => {
  const [expected] = run("UTC");

  it.each([
    ["America/New_York", "2025-01-01T14:00:00.000Z"],
    ["Australia/Lord_Howe", "2025-01-01T22:00:00.000Z"],
    ["Pacific/Apia", "2025-01-01T20:00:00.000Z"],
    ["Asia/Tokyo", "2025-01-02T00:00:00.000Z"],
  ])("TZ=%s changes nothing but what is asked of it by name", (TZ, next) => {
    const [list, zone, own] = run(TZ);
    expect(list).toEqual(expected);
    expect(zone).toBe(TZ);
    expect(own).toBe(next);
  });
});
