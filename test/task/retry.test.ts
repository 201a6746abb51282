/** Retry policies: the delays they give, when they end, and which options are refused. */
import { describe, expect, test } from "vitest";
import {
  DEFAULT_RETRY,
  FatalError,
  parseRetry,
  RetryLater,
  type RetryOptions,
  retryDelayMs,
} from "../../src/task/retry.ts";

describe("retryDelayMs()", () => {
  const error = new Error("x");
  const delays = (options: RetryOptions, count: number): (number | null)[] =>
    Array.from({ length: count }, (_, i) =>
      retryDelayMs(parseRetry({ jitter: "none", ...options }, "t"), { attempt: i + 1, error }, () => 0.5),
    );

  test("grows as its policy says and ends at its attempts", () => {
    expect(delays({ maxAttempts: 5 }, 5)).toEqual([1_000, 3_000, 9_000, 27_000, null]);
    expect(delays({ maxAttempts: 4, backoff: "linear", initial: "2s" }, 4)).toEqual([2_000, 4_000, 6_000, null]);
    expect(delays({ maxAttempts: 3, backoff: "constant", initial: 70 }, 3)).toEqual([70, 70, null]);
    expect(delays({ maxAttempts: 9, max: "5s" }, 4)).toEqual([1_000, 3_000, 5_000, 5_000]);
  });

  test("full jitter draws evenly from zero to the delay", () => {
    const of = (drawn: number): number | null => retryDelayMs(DEFAULT_RETRY, { attempt: 2, error }, () => drawn);
    expect([of(0), of(0.5), of(0.999)]).toEqual([0, 1_500, 2_997]);
  });

  test("FatalError ends, RetryLater says when, a function decides", () => {
    const random = (): number => 0;
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 1, error: new FatalError("x") }, random)).toBeNull();
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 1, error: new RetryLater("5m") }, random)).toBe(300_000);
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 5, error: new RetryLater("5m") }, random)).toBeNull();
    expect(retryDelayMs(({ attempt }) => (attempt < 3 ? `${attempt}s` : null), { attempt: 2, error }, random)).toBe(
      2_000,
    );
    expect(
      retryDelayMs(({ attempt }) => (attempt < 3 ? `${attempt}s` : null), { attempt: 3, error }, random),
    ).toBeNull();
  });

  test.each<[string, RetryOptions]>([
    ["maxAttempts", { maxAttempts: 0 }],
    ["maxAttempts", { maxAttempts: 1.5 }],
    ["factor", { factor: 0.5 }],
    ["jitter", { jitter: "half" as "full" }],
    ["backoff", { backoff: "wild" as "linear" }],
  ])("refuses a bad %s", (name, options) => {
    expect(() => parseRetry(options, "task")).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) }),
    );
  });
});
