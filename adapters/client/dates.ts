/**
 * How do instants and dates travel? As epoch milliseconds, or as ISO text; `Date` and Temporal's objects become these.
 */

/** Replaces dates in options, also inside of lists and objects. Payloads are never given here. */
export function sendable<T>(options: T): T {
  return replace(options) as T;
}

function replace(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return value.getTime();
  const { epochMilliseconds, calendarId } = value as { epochMilliseconds?: unknown; calendarId?: unknown };
  if (typeof epochMilliseconds === "number") return epochMilliseconds;
  // A plain date or local time, of any calendar: its ISO text.
  if (typeof calendarId === "string") return String(value);
  if (Array.isArray(value)) return value.map(replace);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]));
}
