/**
 * Do the guards of the SQL core hold when batches overlap? Every race runs on SQLite (five processes), Postgres (a
 * connection each) and sqld (a client each), a few rounds in CI and 3,000 with BELFRY_LONG=1. `guards.ts` takes out
 * each guard and checks that a race fails.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { rounds } from "../rounds.ts";
import { CLAIM_RACES } from "./claim_races.ts";
import { postgresRaces, type RaceDatabase, STARTERS, sqldRaces, sqliteRaces } from "./databases.ts";
import { END_RACES } from "./end_races.ts";
import { PIGGYBACK_RACES } from "./piggyback_races.ts";
import { APART } from "./rows.ts";
import { SCHEDULE_RACES } from "./schedule_races.ts";

/** Rounds of `guards.ts`, where a race fails soon. */
const asked = Number(process.env["BELFRY_RACE_ROUNDS"] ?? 0);

const RACES = [...SCHEDULE_RACES, ...CLAIM_RACES, ...END_RACES, ...PIGGYBACK_RACES];

const ENGINES = [
  { name: "sqlite", short: 60, open: sqliteRaces },
  { name: "postgres", short: 10, open: () => postgresRaces(inject("postgresUrl")) },
  { name: "sqld", short: 5, open: () => sqldRaces(inject("sqldUrl")) },
];

describe.each(ENGINES)("races on $name", ({ open, short }) => {
  let database: RaceDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.dispose());

  it.each(RACES)("$title", { timeout: 3_600_000 }, async (race) => {
    const first = RACES.indexOf(race) * APART;
    const count = asked || rounds(3000, short);
    for (let n = first; n < first + count; n++) await race.round(database.competitors, n);
  });

  // This race found that opening a SQLite file failed while another process was switching it to WAL.
  it("migrate: ten processes that start on an empty database make one schema", { timeout: 3_600_000 }, async () => {
    const count = asked || rounds(3000, 5);
    for (let n = 0; n < count; n++) {
      const { storages, dispose } = await database.starters();
      const replies = await Promise.all(storages.map((storage) => storage.migrate({ now: 0 })));
      expect(storages).toHaveLength(STARTERS);
      for (const reply of replies) expect(reply.to).toBe(1);
      expect(replies.some(({ from }) => from === 0)).toBe(true);
      // The schema is complete: the lease can be taken.
      const begun = await storages[9]!.beginTick({
        holder: "one",
        token: null,
        now: 1,
        ttlMs: 1000,
        maxDue: 1,
        resignIfIdle: false,
      });
      expect(begun).toMatchObject({ leads: true, lease: { token: 1 } });
      await dispose();
    }
  });
});
