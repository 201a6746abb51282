/**
 * What does an exported row look like? Every storage exports and imports rows of this form.
 *
 * A column is the `snake_case` of the record's field, booleans are 0 and 1, a rate is two columns. Tables are in an
 * order in which no row refers to a later one. Private columns of a storage (op marks, columns for its indexes) are not
 * exported.
 */
import type { StoragePage } from "../storage/port.ts";

/** One exported row. */
export type Row = StoragePage["rows"][number];

/** Every exported table with its columns. */
export const TABLES: Readonly<Record<string, readonly string[]>> = {
  lease: ["holder", "token", "expires_at"],
  owners: ["owner", "generation"],
  schedules: snake(
    "name definition state nextAt revision fired skips failures pauseAfterFailures watchesJobs lastAt note owner createdAt updatedAt",
  ),
  occurrences: snake("schedule at untilAt count jobId reason recordedAt"),
  jobs: snake(
    "id task queue state priority availableAt expiresAt key input options schedule scheduledAt parentId limitKey " +
      "limitConcurrency limitCount limitPerMs held resuming attempt claims arrivals claimToken claimExpiresAt worker result " +
      "error progress notes createdAt startedAt finishedAt",
  ),
  steps: snake("jobId name kind state seq tries attempt output error wakeAt childId signalKey startedAt finishedAt"),
  signals: snake("jobId name key payload sentAt seq"),
  queues: snake("name paused concurrency rateCount ratePerMs"),
  limits: snake("key concurrency rateCount ratePerMs"),
  starts: ["scope", "at", "count"],
};

/** Columns that hold booleans. */
const FLAGS = new Set(["paused", "watches_jobs", "held", "resuming"]);

function snake(words: string): string[] {
  return words.split(" ").map(snakeCase);
}

function snakeCase(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(word: string): string {
  return word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Column and field names of each table, paired once. */
const FIELDS = new Map(
  Object.entries(TABLES).map(([table, columns]) => [
    table,
    columns.map((column) => ({ column, field: camelCase(column), flag: FLAGS.has(column) })),
  ]),
);

/** Makes a row of a record. */
export function toRow(table: string, record: object): Row {
  const row: Row = {};
  const values = record as Record<string, string | number | boolean | null>;
  for (const { column, field, flag } of FIELDS.get(table)!) {
    const value = values[field];
    row[column] = flag ? Number(value) : ((value ?? null) as string | number | null);
  }
  return row;
}

/** Makes a record of a row. */
export function fromRow<T>(table: string, row: Row): T {
  const record: Record<string, string | number | boolean | null> = {};
  for (const { column, field, flag } of FIELDS.get(table)!) {
    const value = row[column] ?? null;
    record[field] = flag ? Boolean(value) : value;
  }
  return record as T;
}
