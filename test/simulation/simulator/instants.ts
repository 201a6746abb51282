/**
 * When must a simulated schedule occur? Instants computed independently of the code under test.
 *
 * Expressions with a constant period are known by their period. A calendar's instants are found by brute force: each second
 * around the start of the world is converted to local time with the offset that `Intl` gives for that minute, its fields
 * are compared, and a local time that occurred before (clocks were set back) is left out. Outside of that window the
 * instants are unknown, and nothing is checked.
 */

/** Expressions with a constant period, ms, in zones where clocks never change; in the canonical form that is stored. */
const PERIODS: Readonly<Record<string, number>> = {
  "*/5 * * * * *": 5_000,
  "*/10 * * * * *": 10_000,
  "*/30 * * * * *": 30_000,
  "@every 3s": 3_000,
  "@every 7s": 7_000,
  "@every 45s": 45_000,
};

/** Expressions without a constant period. */
const CALENDARS: readonly string[] = [
  "*/15 * 0-2,15 * * *",
  "5,25 * 1-3,7 * * *",
  "*/4 0-2,30-31,58-59 * * * *",
  "30 1,2,59 1-3 * * 0,6",
];

/** Zones that clients use: those in which clocks change at one of {@link STARTS}, and one in which they never do. */
export const ZONES: readonly string[] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];

/** Expressions that clients register. */
export const EXPRESSIONS: readonly string[] = [...Object.keys(PERIODS), ...CALENDARS];

/** When worlds begin: at New Year in UTC, or shortly before clocks change somewhere. */
export const STARTS: readonly number[] = [
  "2026-01-01T00:00:00Z",
  "2026-03-29T00:59:20Z",
  "2026-10-25T00:59:20Z",
  "2026-03-08T06:59:20Z",
  "2026-11-01T05:59:20Z",
  // Lord Howe Island: clocks change by half an hour.
  "2026-04-04T14:59:20Z",
  "2026-10-03T15:29:20Z",
].map((text) => Date.parse(text));

const SECOND = 1000;
const HOUR = 3_600_000;
/** How far the window reaches before and after the start; two hours more are read to detect repeated local times. */
const BEFORE_MS = HOUR;
const AFTER_MS = 3 * HOUR;

/** The instants of one definition. */
export interface Instants {
  /** The first instant of a schedule registered at `registeredAt`; null: unknown. */
  first(registeredAt: number): number | null;
  /** The first instant after an instant of the schedule, for calendars after any time; null: unknown. */
  next(after: number): number | null;
  /** Whether it has no constant period. */
  readonly calendar: boolean;
}

/**
 * Computes the instants of a stored definition.
 *
 * @param start when the world began
 * @returns null where they are unknown
 */
export function instantsOf(definition: string, start: number): Instants | null {
  const { expression, timeZone = "UTC" } = JSON.parse(definition) as { expression: string; timeZone?: string };
  const anchored = expression.startsWith("@every");
  const everyMs = anchored || timeZone === "UTC" ? PERIODS[expression] : undefined;
  if (everyMs !== undefined) {
    return {
      calendar: false,
      first: (at) => (anchored ? at + everyMs : (Math.floor(at / everyMs) + 1) * everyMs),
      next: (after) => after + everyMs,
    };
  }
  const window = windowOf(expression, timeZone, start);
  if (window === null) return null;
  const next = (after: number): number | null => {
    if (after < start - BEFORE_MS) return null;
    let [low, high] = [0, window.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (window[middle]! <= after) low = middle + 1;
      else high = middle;
    }
    return window[low] ?? null;
  };
  return { calendar: true, first: next, next };
}

const windows = new Map<string, readonly number[] | null>();

function windowOf(expression: string, zone: string, start: number): readonly number[] | null {
  const key = `${expression} ${zone} ${start}`;
  let window = windows.get(key);
  if (window === undefined) {
    window = walk(expression, zone, start);
    windows.set(key, window);
  }
  return window;
}

function walk(expression: string, zone: string, start: number): readonly number[] | null {
  const fields = expression.split(" ");
  if (fields.length === 5) fields.unshift("0");
  if (fields.length !== 6) return null;
  const [second, minute, hour, date, month, weekday] = fields.map(matcher) as Matcher[];
  const found: number[] = [];
  const seen = new Set<number>();
  let offset = 0;
  for (let at = start - BEFORE_MS - 2 * HOUR; at < start + AFTER_MS; at += SECOND) {
    if (at % 60_000 === 0 || seen.size === 0) offset = offsetAt(at, zone);
    const local = at + offset;
    const again = seen.has(local);
    seen.add(local);
    if (again || at < start - BEFORE_MS) continue;
    const fits =
      second!(Math.floor(local / SECOND) % 60) &&
      minute!(Math.floor(local / 60_000) % 60) &&
      hour!(Math.floor(local / HOUR) % 24);
    if (!fits) continue;
    const day = new Date(local);
    if (date!(day.getUTCDate()) && month!(day.getUTCMonth() + 1) && weekday!(day.getUTCDay())) found.push(at);
  }
  return found;
}

type Matcher = (value: number) => boolean;

/** Parses numbers, ranges and steps, which is all that the expressions above use. */
function matcher(field: string): Matcher {
  const parts = field.split(",").map((part): Matcher => {
    const [range = "*", step = "1"] = part.split("/");
    const [from, to] = range === "*" ? [0, 59] : (range.includes("-") ? range.split("-") : [range, range]).map(Number);
    return (value) => value >= from! && value <= to! && (value - from!) % Number(step) === 0;
  });
  return (value) => parts.some((part) => part(value));
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Local time minus UTC, ms, by `Intl`. */
function offsetAt(at: number, zone: string): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
    formats.set(zone, format);
  }
  const text = format.formatToParts(at).find(({ type }) => type === "timeZoneName")!.value;
  const [, sign, hours, minutes] = /^GMT(?:([+-])(\d\d):(\d\d))?$/.exec(text)!;
  return sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * HOUR + Number(minutes) * 60_000);
}
