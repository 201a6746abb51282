import { expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { MINUTE, SECOND, START } from "../schedule/kit.ts";

test('tick({ for: "55s" }) once a minute serves schedules finer than the trigger, at their instants', async () => {
  const clock = new FakeClock(START);
  const storage = memory();
  const host = () => new Belfry({ storage, clock, logger: silentLogger });
  const first = host();
  await first.schedule("s", "*/10 * * * * *", "work");
  for (let minute = 0; minute < 5; minute++) {
    // A new isolate each time; one of the triggers is doubled, one comes 7 s late, one not at all.
    if (minute !== 3) {
      if (minute === 2) await clock.advance(7 * SECOND);
      const ticks = Array.from({ length: minute === 1 ? 2 : 1 }, () => host().tick({ for: "55s", work: false }));
      await clock.advance(55 * SECOND);
      await Promise.all(ticks);
    }
    await clock.advanceTo(START + (minute + 1) * MINUTE);
  }
  await host().tick({ work: false });
  const rows = await storage.listOccurrences({ schedule: "s", limit: 1_000 });
  expect(rows.map((row) => row.at)).toEqual(Array.from({ length: 30 }, (_, i) => START + (i + 1) * 10 * SECOND));
  const late = rows.map((row) => (row.recordedAt - row.at) / SECOND);
  // What falls into the minute without trigger waits for the next one; all others are fired as they come.
  const inGap = (at: number): boolean => at >= START + 3 * MINUTE && at < START + 4 * MINUTE;
  for (const [i, row] of rows.entries()) if (!inGap(row.at)) expect(late[i], `occurrence ${i}`).toBeLessThanOrEqual(7);
  expect(late.filter((seconds) => seconds === 0).length).toBeGreaterThanOrEqual(18);
  await first.close();
});
