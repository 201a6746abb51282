/**
 * Do the guards of the SQL core hold when callers meet? Every race on SQLite (five processes), Postgres (a connection
 * for each) and sqld (a client for each), a few rounds in CI and 3,000 with BELFRY_LONG=1. `guards.ts` takes each guard out and sees a race fail.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { rounds } from "../rounds.ts";
import { type Arena, postgresArena, STARTERS, sqldArena, sqliteArena } from "./arena.ts";
import { CLAIM_RACES } from "./claim_races.ts";
import { END_RACES } from "./end_races.ts";
import { PIGGYBACK_RACES } from "./piggyback_races.ts";
import { APART } from "./rows.ts";
import { SCHEDULE_RACES } from "./schedule_races.ts";

/** Rounds of `guards.ts`, which wants to see a race fail soon. */
const asked = Number(process.env["BELFRY_RACE_ROUNDS"] ?? 0);

const RACES = [...SCHEDULE_RACES, ...CLAIM_RACES, ...END_RACES, ...PIGGYBACK_RACES];

const ENGINES = [
  { name: "sqlite", short: 60, open: sqliteArena },
  { name: "postgres", short: 10, open: () => postgresArena(inject("postgresUrl")) },
  { name: "sqld", short: 5, open: () => sqldArena(inject("sqldUrl")) },
];

describe.each(ENGINES)("races on $name", ({ open, short }) => {
  let arena: Arena;
  beforeAll(async () => {
    arena = await open();
  });
  afterAll(() => arena.dispose());

  it.each(RACES)("$title", { timeout: 3_600_000 }, async (race) => {
    const first = RACES.indexOf(race) * APART;
    const count = asked || rounds(3000, short);
    for (let n = first; n < first + count; n++) await race.round(arena.competitors, n);
  });

  // Found that opening a SQLite file failed while another starter was switching it to WAL.
  it("migrate: ten starters of an empty database make one schema", { timeout: 3_600_000 }, async () => {
    const count = asked || rounds(3000, 5);
    for (let n = 0; n < count; n++) {
      const { storages, dispose } = await arena.starters();
      const replies = await Promise.all(storages.map((storage) => storage.migrate({ now: 0 })));
      expect(storages).toHaveLength(STARTERS);
      for (const reply of replies) expect(reply.to).toBe(1);
      expect(replies.some(({ from }) => from === 0)).toBe(true);
      // It is whole: somebody can lead.
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
