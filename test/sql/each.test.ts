/**
 * How are rows written to SQLite one by one, and read? As VALUES whose first value is null where a guard refuses the
 * row; as arrays that are read by name.
 */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { sqlite } from "../../adapters/sqlite.ts";
import { localSqliteDialect, sqliteDialect } from "../../src/sql/dialect.ts";
import type { Insert } from "../../src/sql/each.ts";
import { listKind } from "../../src/sql/list.ts";
import { viewOf } from "../../src/sql/sqlite/view.ts";
import { Templates } from "../../src/sql/template.ts";

test("an insert from a list becomes VALUES where rows go one by one, with its guard around the first value", () => {
  const list = listKind<{ id: string; at: number }>()({ id: ["text", ({ id }) => id], at: ["int", ({ at }) => at] });
  const insert: Insert<"id" | "at"> = {
    into: "jobs",
    rows: {
      list,
      param: "jobs",
      values: (item) => ({ id: item.id, at: item.at, mark: ":mark" }),
      guard: (item) => ({ from: "{schedules} AS s", where: `s.name = ${item.id} AND s.mark = :mark` }),
    },
    conflict: "DO NOTHING",
  };
  const local = new Templates(localSqliteDialect, "b_").insert(insert);
  expect(local.text).toBe(
    "INSERT INTO b_jobs (id, at, mark) VALUES ((SELECT ?1 FROM b_schedules AS s WHERE s.name = ?1 AND s.mark = ?2)" +
      ", ?3, ?2) ON CONFLICT DO NOTHING",
  );
  expect([local.names, local.each, local.cells]).toEqual([
    ["jobs.id", "mark", "jobs.at"],
    "jobs",
    [0, 0, null, 1, null],
  ]);
  const remote = new Templates(sqliteDialect, "b_").insert(insert);
  expect(remote.text).toBe(
    "INSERT INTO b_jobs (id, at, mark) SELECT item.id, item.at, ?1 FROM " +
      "(SELECT key AS ord, value->>0 AS id, value->>1 AS at FROM json_each(?2)) AS item, b_schedules AS s " +
      "WHERE s.name = item.id AND s.mark = ?1 ORDER BY item.ord ON CONFLICT DO NOTHING",
  );
  expect(remote.each).toBeNull();
});

test("a row whose first column is null is left out, and any other null is an error, so no payload is lost silently", async () => {
  const database = new DatabaseSync(":memory:");
  await sqlite(database).migrate({ now: 0 });
  const steps = database.prepare(
    "INSERT INTO belfry_steps (job_id, name, kind, state, tries, started_at) VALUES (?, ?, 'step', 'done', 1, 0)",
  );
  expect(steps.run("j", "a").changes).toBe(1);
  expect(steps.run(null, "b").changes).toBe(0);
  expect(() => steps.run("j", null)).toThrow(/NOT NULL constraint failed: belfry_steps.name/);
  database.close();
});

test("a view shows values by name, and an unknown name as undefined", () => {
  const row = viewOf(["id", "at"])(["j", 7]);
  expect([row["id"], row["at"], row["other"]]).toEqual(["j", 7, undefined]);
});
