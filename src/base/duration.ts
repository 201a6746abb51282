/**
 * Durations as people write them: `"10m"`, `"1h30m"`, `"500ms"`, or a number of milliseconds.
 *
 * Units are `ms s m h d w`, each at most once, from large to small; a day is 24 hours, a week 7 days.
 */
import { BelfryError } from "./error.ts";

/** Text such as `"1h30m"`, or a number of milliseconds. */
export type Duration = number | string;

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

/** The longest duration taken: a hundred years, far from where sums of instants lose precision. */
const MAX_DURATION_MS: number = 36_525 * 86_400_000;

/**
 * Reads a duration.
 *
 * @param value the duration
 * @param option what it is for, quoted in the error: `"leaseTtl"`
 * @param limits `minMs` (default 0) and `maxMs` (default {@link MAX_DURATION_MS}), both included
 * @returns whole milliseconds
 * @throws BelfryError `DURATION_INVALID` when it is unreadable, negative or out of range
 *
 * @example
 * ```ts
 * import { parseDuration } from "./duration.ts";
 *
 * if (parseDuration("1h30m", "timeout") !== 5_400_000) throw new Error("wrong");
 * ```
 */
export function parseDuration(
  value: Duration,
  option: string,
  limits: { minMs?: number; maxMs?: number } = {},
): number {
  const { minMs = 0, maxMs = MAX_DURATION_MS } = limits;
  const ms = typeof value === "number" ? value : readText(value);
  if (ms === undefined || !Number.isFinite(ms)) {
    throw new BelfryError(
      "DURATION_INVALID",
      `Cannot read ${option}: ${describe(value)} is not a duration; write "10m", "1h30m", "500ms" or a number of milliseconds`,
    );
  }
  if (ms < minMs || ms > maxMs) {
    throw new BelfryError(
      "DURATION_INVALID",
      `Cannot use ${option}: ${describe(value)} is ${ms < 0 ? "negative" : "out of range"}; it must lie between ` +
        `${formatDuration(minMs)} and ${formatDuration(maxMs)}`,
    );
  }
  return Math.round(ms);
}

function readText(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  const parts = /^(-?)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text.trim());
  if (!parts || parts.slice(2).every((part) => part === undefined)) return undefined;
  let ms = 0;
  for (const [i, [, unitMs]] of UNITS.entries()) ms += Number(parts[i + 2] ?? 0) * unitMs;
  return parts[1] === "-" ? -ms : ms;
}

/**
 * Writes a duration in the largest units that are exact: 5,400,000 is `"1h30m"`.
 *
 * @param ms milliseconds; a fraction is rounded
 */
export function formatDuration(ms: number): string {
  let left = Math.round(Math.abs(ms));
  let text = "";
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(left / unitMs);
    if (count > 0) text += `${count}${unit}`;
    left -= count * unitMs;
  }
  return text === "" ? "0ms" : (ms < 0 ? "-" : "") + text;
}

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
