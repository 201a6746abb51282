/** Does `@js-temporal/polyfill` give the same periods as the runtime? It is slow, so a few zones stand for all. */
import { Temporal } from "@js-temporal/polyfill";
import { describe, expect, it } from "vitest";
import { Cron, type TemporalLike } from "../../../src/cron/mod.ts";

describe("Cron with @js-temporal/polyfill", () => {
  it.each(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"])(
    "gives the same occurrences as with the runtime's own zones, in %s",
    (timeZone) => {
      const temporal = Temporal satisfies TemporalLike;
      for (const dst of ["once", "vixie"] as const) {
        const own = new Cron("*/30 1-3 * * SUN", { timeZone, dst }).take(200, Date.UTC(2011, 9, 1));
        const other = new Cron("*/30 1-3 * * SUN", { timeZone, dst, temporal }).take(200, Date.UTC(2011, 9, 1));
        expect(other).toEqual(own);
      }
    },
  );
});
