/**
 * What is a statement called, and in which snapshot is it written out? By the property that holds it among the prepared
 * statements; one that many operations send is written out in the snapshot of one of them.
 */
import type { Dialect } from "../../src/sql/dialect.ts";
import type { Sql } from "../../src/sql/driver.ts";
import { prepare } from "../../src/sql/statements/prepared.ts";
import { Templates } from "../../src/sql/template.ts";

/** A statement that has a name. */
export interface Named {
  /** The subject and the property: `limits.markEnded`. */
  readonly name: string;
  readonly sql: Sql;
}

/** Snapshots that write out what a subject shares with other operations. */
const SHARED: Record<string, string> = {
  effects: "effects",
  limits: "effects",
  admission: "effects",
  fire: "fire",
  enqueue: "enqueue",
  claim: "claim",
  history: "claim",
  queueState: "claim",
};

/** The snapshot that writes out a statement, for all operations that send it; null: each writes it out itself. */
export function homeOf(name: string): string | null {
  return SHARED[name.split(".")[0]!] ?? null;
}

/** The prepared statements of a database by their text. */
export function namesOf(
  dialect: Dialect,
  notification: ((wake: "schedules") => string) | undefined,
): Map<string, Named> {
  const found = new Map<string, Named>();
  const walk = (subject: string, holder: object): void => {
    for (const [property, value] of Object.entries(holder)) {
      if (!isObject(value) || value instanceof Templates || Array.isArray(value)) continue;
      if (!isSql(value)) walk(property, value);
      else if (!found.has(value.text)) found.set(value.text, { name: `${subject}.${property}`, sql: value });
    }
  };
  const statements = prepare(new Templates(dialect, "belfry_"), notification?.("schedules") ?? null);
  walk("", statements);
  for (const tasks of [false, true]) {
    const sql = statements.claim.take(1, tasks);
    found.set(sql.text, { name: tasks ? "claim.take, of some tasks" : "claim.take", sql });
  }
  return found;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isSql(value: object): value is Sql {
  return "text" in value && "slots" in value;
}
