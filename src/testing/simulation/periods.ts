/** How far apart are a simulated schedule's occurrences? Known beforehand, so that no planner is needed to count them. */

/** Expressions of even periods, ms; the text is the canonical one that is stored. */
export const PERIODS: Readonly<Record<string, number>> = {
  "*/5 * * * * *": 5_000,
  "*/10 * * * * *": 10_000,
  "*/30 * * * * *": 30_000,
  "@every 3s": 3_000,
  "@every 7s": 7_000,
  "@every 45s": 45_000,
};

/** The period of a stored definition; null when it is none of {@link PERIODS}. */
export function periodOf(definition: string): number | null {
  const { expression } = JSON.parse(definition) as { expression: string };
  return PERIODS[expression] ?? null;
}
