/**
 * How is each library asked the same three things?
 *
 * Parse an expression for a zone; find the next occurrence after a Date; walk a thousand occurrences. Each is asked in
 * the way its own documentation shows. `cron-schedule` has no zones: its process gets TZ set to the zone instead.
 */

/** A parsed schedule, asked. */
export interface Schedule {
  next(after: Date): Date | null | undefined;
  walk(from: Date, count: number): unknown;
  /** The same in epoch milliseconds, where a library has that: creating a random Date alone takes Node 26 270 ns. */
  nextMs?(after: number): number | null;
}

/** Parses an expression for a zone. */
export type Parse = (expression: string, zone: string) => Schedule;

/** The libraries, each imported only when it is the one to be measured. */
export const LIBRARIES: Record<string, () => Promise<Parse>> = {
  async belfry() {
    const { Cron } = await import("../../src/cron/mod.ts");
    return (expression, timeZone) => {
      const cron = new Cron(expression, { timeZone });
      return {
        next: (after) => cron.next(after),
        walk: (from, count) => cron.take(count, from),
        nextMs: (after) => cron.nextMs(after),
      };
    };
  },
  async croner() {
    const { Cron } = await load("croner");
    return (expression, timezone) => {
      const cron = new Cron(expression, { timezone, paused: true });
      return { next: (after) => cron.nextRun(after), walk: (from, count) => cron.nextRuns(count, from) };
    };
  },
  async "cron-parser"() {
    const { CronExpressionParser } = await load("cron-parser");
    return (expression, tz) => {
      const parsed = CronExpressionParser.parse(expression, { tz });
      return {
        next(after) {
          parsed.reset(after);
          return parsed.next().toDate();
        },
        walk(from, count) {
          parsed.reset(from);
          const dates = [];
          for (let i = 0; i < count; i++) dates.push(parsed.next().toDate());
          return dates;
        },
      };
    };
  },
  async cronosjs() {
    const { CronosExpression } = await load("cronosjs");
    return (expression, timezone) => {
      const parsed = CronosExpression.parse(expression, { timezone });
      return { next: (after) => parsed.nextDate(after), walk: (from, count) => parsed.nextNDates(from, count) };
    };
  },
  async "cron-schedule"() {
    const { parseCronExpression } = await load("cron-schedule");
    return (expression) => {
      const parsed = parseCronExpression(expression);
      return { next: (after) => parsed.getNextDate(after), walk: (from, count) => parsed.getNextDates(count, from) };
    };
  },
};

// Peers are installed on demand (bench/package.json), so the compiler does not know them: this is what is used of them.
interface Peers {
  Cron: new (
    expression: string,
    options: object,
  ) => { nextRun(after: Date): Date | null; nextRuns(count: number, from: Date): Date[] };
  CronExpressionParser: {
    parse(expression: string, options: object): { reset(at: Date): void; next(): { toDate(): Date } };
  };
  CronosExpression: {
    parse(
      expression: string,
      options: object,
    ): { nextDate(after: Date): Date | null; nextNDates(from: Date, count: number): Date[] };
  };
  parseCronExpression(expression: string): {
    getNextDate(after: Date): Date;
    getNextDates(count: number, from: Date): Date[];
  };
}

async function load(name: string): Promise<Peers> {
  return (await import(name)) as Peers;
}
