/**
 * How are all rows exported and imported? In pages, in order of key, without the columns that only the SQL core knows;
 * the import works those out.
 *
 * Imported jobs are not due and have an alarm at the instant of theirs, so the next claim makes due what is.
 */
import type { StoragePage } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { ListColumns } from "../dialect.ts";
import type { Row } from "../driver.ts";
import { columnTypes, TABLES, TIED } from "../schema.ts";
import type { Templates } from "../template.ts";

/** Columns that are not exported, by table, in the order in which tables are copied. */
const PRIVATE: Record<string, readonly string[]> = {
  lease: ["id", "first_at", "mark"],
  owners: ["mark"],
  schedules: ["mark"],
  occurrences: [],
  jobs: ["due", "tied", "alarm_at", "inserted_by", "mark"],
  steps: [],
  signals: [],
  queues: [],
  limits: ["room", "next_at", "mark"],
  starts: ["op"],
};
const ORDER = Object.keys(PRIVATE);

interface CopiedTable {
  name: string;
  columns: ListColumns;
  key: readonly string[];
}

const COPIED: readonly CopiedTable[] = ORDER.map((name) => {
  const table = TABLES.find((candidate) => candidate.name === name)!;
  const hidden = PRIVATE[name]!;
  return {
    name,
    columns: columnTypes(table).filter(([column]) => !hidden.includes(column)),
    key: table.key.filter((column) => !hidden.includes(column)),
  };
});

/** Private columns of an imported row, as expressions over `item`. */
const WORKED_OUT: Record<string, Record<string, string>> = {
  jobs: {
    due: "0",
    tied: `(CASE WHEN item.schedule IS NULL THEN 0 ELSE ${TIED.schedule} END)
      + (CASE WHEN item.parent_id IS NULL THEN 0 ELSE ${TIED.parent} END)
      + (CASE WHEN item.limit_key IS NULL THEN 0 ELSE ${TIED.limit} END)
      + (CASE WHEN item.finished_at IS NULL THEN ${TIED.children} ELSE 0 END)`,
    alarm_at: `CASE WHEN item.state = 'running' THEN item.claim_expires_at WHEN item.state = 'waiting' THEN item.available_at
      WHEN item.state = 'ready' AND item.held = 1 THEN CASE WHEN item.attempt = 0 THEN item.expires_at END
      WHEN item.state = 'ready' THEN CASE WHEN item.attempt = 0 AND item.expires_at < item.available_at
        THEN item.expires_at ELSE item.available_at END END`,
  },
  // At once: the next claim works out the state of every limit.
  limits: { room: "0", next_at: "0" },
  starts: { op: "'copied'" },
};

/** Condition of a start that is not stored yet, under whatever op. */
const UNCOUNTED = "NOT EXISTS (SELECT 1 FROM {starts} AS s WHERE s.scope = item.scope AND s.at = item.at)";

/** The position of a copy: the table, and the key of the last row that was exported. */
interface Cursor {
  table: number;
  after: (string | number)[] | null;
}

/** The batch that reads a page. */
export function exportPage(
  t: Templates,
  request: { cursor: string | null; limit: number },
): Operation<{ page: StoragePage; cursor: string | null }> {
  const cursor: Cursor = request.cursor === null ? { table: 0, after: null } : (JSON.parse(request.cursor) as Cursor);
  const { name, columns, key } = COPIED[cursor.table]!;
  const args: Record<string, string | number | null> = { limit: request.limit };
  // A lease that has never been taken is not exported.
  let where = name === "lease" ? "WHERE token > 0" : "";
  if (cursor.after && key.length > 0) {
    for (const [i, value] of cursor.after.entries()) args[`after${i}`] = value;
    // Trick 26.
    where = `WHERE (${key.join(", ")}) > (${cursor.after.map((_, i) => `:after${i}`).join(", ")})`;
  }
  const order = key.length > 0 ? `ORDER BY ${key.join(", ")} LIMIT (SELECT :limit)` : "";
  const names = columns.map(([column]) => column);
  const selected = name === "starts" ? "scope, at, sum(count) AS count" : names.join(", ");
  const group = name === "starts" ? "GROUP BY scope, at" : "";
  const batch = new Batch<"page">(args);
  batch.read("page", t.sql(`SELECT ${selected} FROM {${name}} ${where} ${group} ${order}`));
  return operation(batch, () => {
    const rows = batch.rows("page").map((row) => exported(row, columns));
    const last = rows.at(-1);
    const more = last !== undefined && key.length > 0 && rows.length === request.limit;
    const next: Cursor | null = more
      ? { table: cursor.table, after: key.map((column) => last[column]!) }
      : cursor.table + 1 < COPIED.length
        ? { table: cursor.table + 1, after: null }
        : null;
    return { page: { table: name, rows }, cursor: next && JSON.stringify(next) };
  });
}

/** A row as it is exported: numbers and texts, whatever the client gave. */
function exported(row: Row, columns: ListColumns): StoragePage["rows"][number] {
  return Object.fromEntries(
    columns.map(([column, type]) => {
      const value = row[column] ?? null;
      return [column, value === null ? null : type === "int" ? Number(value) : (value as string)];
    }),
  );
}

/** The batch that writes a page; null where the page is empty or of no known table. */
export function importPage(t: Templates, page: StoragePage): Operation<void> | null {
  const table = COPIED.find(({ name }) => name === page.table);
  if (!table || page.rows.length === 0) return null;
  const { columns } = table;
  const rows = t.dialect.encodeList(
    columns,
    page.rows.map((row) => columns.map(([column]) => row[column] ?? null)),
  );
  const batch = new Batch({ rows });
  const list = t.dialect.list("rows", columns);
  if (table.name === "lease") {
    batch.run(
      t.sql(`UPDATE {lease} AS l SET token = item.token,
        holder = CASE WHEN l.holder IS NULL THEN item.holder ELSE l.holder END,
        expires_at = CASE WHEN l.holder IS NULL THEN item.expires_at ELSE l.expires_at END
      FROM ${list} AS item WHERE l.id = 1 AND l.token < item.token`),
    );
    return operation(batch, () => undefined);
  }
  const extra = WORKED_OUT[table.name] ?? {};
  const insert = t.insert({
    into: table.name,
    rows: {
      values: { ...Object.fromEntries(columns.map(([column]) => [column, `item.${column}`])), ...extra },
      from: `${list} AS item WHERE ${table.name === "starts" ? UNCOUNTED : "true"} ORDER BY item.ord`,
    },
    conflict: "DO NOTHING",
  });
  batch.run(insert);
  return operation(batch, () => undefined);
}
