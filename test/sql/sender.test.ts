/** How is an operation sent, and how are its rows read? */
import { expect, test } from "vitest";
import { Batch, operation } from "../../src/sql/batch.ts";
import { sqliteDialect } from "../../src/sql/dialect.ts";
import { counters, type Driver, DriverError, type Query, type Row } from "../../src/sql/driver.ts";
import { Sender } from "../../src/sql/sender.ts";
import { Templates } from "../../src/sql/template.ts";
import type { CallOptions } from "../../src/storage/port.ts";
import { FakeClock } from "../../src/testing/mod.ts";

const templates = new Templates(sqliteDialect, "b_");
const statement = (name: string) => templates.sql(`SELECT '${name}' AS name`);

/** A driver that answers as it is told, and what it was sent. */
function driverOf(answer: (queries: readonly Query[], send: number) => Row[][]) {
  const sent: { texts: string[]; call: CallOptions | undefined }[] = [];
  const driver: Driver = {
    name: "test",
    counters: counters(),
    batch: async (queries, _mode, call) => {
      sent.push({ texts: queries.map(({ sql }) => sql.text), call });
      return answer(queries, sent.length);
    },
    close: async () => undefined,
  };
  return { driver, sent };
}

const unanswered = (): never => {
  throw new DriverError("STORAGE_UNAVAILABLE", "no reply", { ambiguous: true });
};

test("rows are read by name, whatever else is sent before, between and behind", async () => {
  const { driver } = driverOf((queries) => queries.map(({ sql }) => [{ text: sql.text }]));
  const sender = new Sender({ driver, clock: new FakeClock(), templates });
  const [first, second] = [new Batch<"a" | "b" | "c">({}), new Batch<"a">({})];
  first.run(statement("x"));
  first.read("a", statement("first a"));
  first.read("b", statement("first b"));
  second.read("a", statement("second a"));
  const { reply } = await sender.write(
    () => ({
      batches: [second, first],
      args: {},
      reply: () => [first.rows("a"), first.rows("b"), first.rows("c"), second.rows("a")],
    }),
    undefined,
  );
  expect(reply.map((rows) => rows.map((row) => row["text"]))).toEqual([
    ["SELECT 'first a' AS name"],
    ["SELECT 'first b' AS name"],
    [],
    ["SELECT 'second a' AS name"],
  ]);
});

test("a statement that depends on another names it, so it may stand anywhere", () => {
  const batch = new Batch<"others">({});
  const insert = statement("insert");
  batch.run(statement("x"), insert);
  batch.read("others", statement("others"), { sql: insert, changes: 3 });
  expect(batch.queries[2]!.unless).toEqual({ query: batch.queries[1], changes: 3 });
});

test("an operation whose reply is lost is built anew for each send, and the fourth error is the caller's", async () => {
  const clock = new FakeClock();
  const { driver, sent } = driverOf(unanswered);
  let built = 0;
  const build = () => {
    const batch = new Batch({});
    batch.run(statement(`build ${++built}`));
    return operation(batch, () => undefined);
  };
  const answer = new Sender({ driver, clock, templates }).write(build, undefined).catch((error: unknown) => error);
  await clock.advance("10s");
  expect(await answer).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  expect(sent.map(({ texts }) => texts)).toEqual([1, 2, 3, 4].map((n) => [`SELECT 'build ${n}' AS name`]));
});

test("an operation whose caller waits no longer is not sent again, and the driver is told the same signal", async () => {
  const { driver, sent } = driverOf(unanswered);
  const call = { signal: AbortSignal.abort() };
  const sender = new Sender({ driver, clock: new FakeClock(), templates });
  const build = () => operation(new Batch({}), () => undefined);
  await expect(sender.read(build, call)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  expect(sent).toEqual([{ texts: [], call }]);
});
