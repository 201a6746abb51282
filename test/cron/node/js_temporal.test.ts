/**
 * Does `@js-temporal/polyfill` give the same periods as the runtime?
 *
 * It is a peer that only benches need (bench/package.json), so where it is not installed there is nothing to test:
 * `npm install --prefix bench` installs it, and `npm run bench` does. It is slow, so a few zones stand for all.
 */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Cron, type TemporalLike } from "../../../src/cron/mod.ts";

const path = new URL("../../../bench/node_modules/@js-temporal/polyfill/dist/index.esm.js", import.meta.url);

describe.skipIf(!existsSync(path))("@js-temporal/polyfill (npm install --prefix bench)", () => {
  it.each(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"])(
    "gives the same occurrences in %s",
    async (timeZone) => {
      const { Temporal } = (await import(path.href)) as { Temporal: TemporalLike };
      for (const dst of ["once", "vixie"] as const) {
        const own = new Cron("*/30 1-3 * * SUN", { timeZone, dst }).take(200, Date.UTC(2011, 9, 1));
        expect(
          new Cron("*/30 1-3 * * SUN", { timeZone, dst, temporal: Temporal }).take(200, Date.UTC(2011, 9, 1)),
        ).toEqual(own);
      }
    },
  );
});
