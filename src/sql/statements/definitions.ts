/**
 * What has an owner declared? Names and definitions alone, in order of name: what a `sync` of very many schedules compares.
 */
import type { ScheduleState, StoredDefinition } from "../../storage/port.ts";
import type { Query, Row } from "../driver.ts";
import type { Templates } from "../template.ts";

/** Lists definitions of one owner, page by page. */
export function listDefinitions(t: Templates, request: { owner: string; after?: string; limit: number }): Query {
  const { owner, after = null, limit } = request;
  const page = after === null ? "" : " AND name > :after";
  const sql = t.sql(
    `SELECT name, definition, state FROM {schedules} WHERE owner = :owner${page} ORDER BY name LIMIT :limit`,
  );
  return { sql, args: { owner, after, limit } };
}

/** Reads what of a schedule tells whether it is as its owner wants it. */
export function definitionOf(row: Row): StoredDefinition {
  return {
    name: row["name"] as string,
    definition: row["definition"] as string,
    state: row["state"] as ScheduleState,
  };
}
