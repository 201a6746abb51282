/** Which durations are read, and how are they written? */
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/base/duration.ts";

describe("parseDuration()", () => {
  it.each([
    ["500ms", 500],
    ["1s", 1_000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1w", 604_800_000],
    ["1w2d3h4m5s6ms", 788_645_006],
    ["1m500ms", 60_500],
    [" 1h ", 3_600_000],
    ["0s", 0],
    [1_500, 1_500],
    [1.6, 2],
  ])("reads %j as %i ms", (text, ms) => {
    expect(parseDuration(text, "delay")).toBe(ms);
  });

  it.each(["", "10", "10 m", "m", "30m1h", "1h1h", "1.5h", "1y", "PT1H", "-", Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses %j, quotes it, and says what to write",
    (value) => {
      expect(() => parseDuration(value, "delay")).toThrow(
        expect.objectContaining({
          code: "DURATION_INVALID",
          message: expect.stringMatching(/^Cannot read delay: .* is not a duration; write "10m", "1h30m", "500ms"/),
        }),
      );
    },
  );

  it.each([null, undefined, {}, true])("refuses %j, which JavaScript can pass", (value) => {
    expect(() => parseDuration(value as never, "delay")).toThrow(expect.objectContaining({ code: "DURATION_INVALID" }));
  });

  it.each([
    ["-1s", {}, /is negative; it must lie between 0ms and/],
    ["200w", { maxMs: 60_000 }, /is out of range; it must lie between 0ms and 1m/],
    [5, { minMs: 10 }, /is out of range; it must lie between 10ms and/],
    ["36526d", {}, /out of range/],
  ])("refuses %j with limits %j", (value, limits, message) => {
    expect(() => parseDuration(value, "delay", limits)).toThrow(
      expect.objectContaining({ code: "DURATION_INVALID", message: expect.stringMatching(message) }),
    );
  });

  it("takes a duration that equals a limit", () => {
    expect(parseDuration("10ms", "delay", { minMs: 10, maxMs: 10 })).toBe(10);
    expect(parseDuration("36525d", "delay")).toBe(3_155_760_000_000);
  });
});

describe("formatDuration()", () => {
  it.each([
    [0, "0ms"],
    [0.4, "0ms"],
    [5_400_000, "1h30m"],
    [788_645_006, "1w2d3h4m5s6ms"],
    [-90_000, "-1m30s"],
  ])("writes %d ms as %j", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("writes what parseDuration() reads as the same number", () => {
    for (let ms = 1; ms < 1e12; ms = ms * 3 + 1) expect(parseDuration(formatDuration(ms), "delay")).toBe(ms);
  });
});
