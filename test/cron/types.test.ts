/** Do the types take what CRON.md says they take? The compiler is the test; the bodies run so that nothing is dead. */
import { Temporal as Polyfill } from "temporal-polyfill/implementation";
import { expect, it } from "vitest";
import { Cron, type CronOptions, type TemporalLike } from "../../src/cron/mod.ts";

/** What `@js-temporal/polyfill` 0.5.1 declares of the parts that are used (its `TimeZoneLike`, its overloads). */
interface JsTemporalZoned {
  readonly epochMilliseconds: number;
  readonly offsetNanoseconds: number;
  readonly timeZoneId: string;
  getTimeZoneTransition(options: "next" | "previous" | { direction: "next" | "previous" }): JsTemporalZoned | null;
}
declare class JsTemporalInstant {
  static fromEpochMilliseconds(epochMilliseconds: number): JsTemporalInstant;
  readonly epochMilliseconds: number;
  toZonedDateTimeISO(tzLike: string | JsTemporalZoned): JsTemporalZoned;
}
interface JsTemporal {
  readonly Instant: typeof JsTemporalInstant;
  readonly ZonedDateTime: { new (ns: bigint, zone: string): JsTemporalZoned; readonly prototype: JsTemporalZoned };
}

it("TemporalLike takes the native Temporal and both polyfills", () => {
  const polyfill: TemporalLike = Polyfill;
  const js = (temporal: JsTemporal): TemporalLike => temporal;
  expect(js).toBeTypeOf("function");
  const cron = new Cron("0 9 * * *", { timeZone: "Europe/Oslo", temporal: polyfill });
  expect(cron.next(Polyfill.Instant.from("2026-07-01T00:00Z"))?.toISOString()).toBe("2026-07-01T07:00:00.000Z");
  expect(cron.next(Polyfill.ZonedDateTime.from("2026-07-01T00:00[UTC]"))?.toISOString()).toBe(
    "2026-07-01T07:00:00.000Z",
  );
});

it("options may be given as undefined", () => {
  const options: CronOptions = {
    timeZone: undefined,
    days: undefined,
    dst: undefined,
    anchor: undefined,
    temporal: undefined,
    seed: undefined,
  };
  expect(new Cron("@every 1h", options).intervalMs).toBe(3_600_000);
});
