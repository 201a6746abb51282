/** Do the pages that explain the SQL say what is there? The tricks of docs/sql.md, and the header of the schema. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { localSqliteDialect } from "../../src/sql/dialect.ts";
import { MIGRATIONS, TABLES } from "../../src/sql/schema.ts";
import { root, sourceFiles } from "../house/source.ts";

const page = readFileSync(`${root}/docs/sql.md`, "utf8");
const numbers = [...page.matchAll(/^### (\d+)\. /gm)].map(([, number]) => Number(number));

test("the tricks of docs/sql.md are numbered without a gap", () => {
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
});

test("every trick that the code names is in docs/sql.md, and every trick there is named by the code", () => {
  const named = new Set<number>();
  for (const { path, text } of sourceFiles()) {
    if (!path.startsWith("src/sql/")) continue;
    for (const [found] of text.matchAll(/\b[Tt]ricks? \d+(?:(?:,| and) \d+)*/g)) {
      for (const [number] of found.matchAll(/\d+/g)) named.add(Number(number));
    }
  }
  expect([...named].sort((a, b) => a - b)).toEqual(numbers);
});

test("the header of the schema names every table and every index", () => {
  const source = readFileSync(`${root}/src/sql/schema.ts`, "utf8");
  const header = source.slice(0, source.indexOf("*/"));
  const named = [...header.matchAll(/^ \* ([a-z]+(?:_[a-z]+)?) {2,}\S| \* (occurrences_until) /gm)].map(
    ([, name, longest]) => name ?? longest,
  );
  const indexes = MIGRATIONS.flatMap((migration) => migration.templates(localSqliteDialect)).flatMap(
    (template) => /^CREATE (?:UNIQUE )?INDEX \{(\w+)\}/.exec(template)?.[1] ?? [],
  );
  expect(named.filter((name) => name !== "table" && name !== "index")).toEqual([
    ...TABLES.map(({ name }) => name),
    ...indexes,
  ]);
});
