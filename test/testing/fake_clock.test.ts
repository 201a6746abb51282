/** Does the fake clock fire timers in order, let promises settle between, and keep wall and elapsed time apart? */
import { describe, expect, test } from "vitest";
import { delay } from "../../src/base/clock.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";

describe("FakeClock", () => {
  test("advance() fires timers in order of time, then of setting", async () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push(`b@${clock.now()}`));
    clock.setTimer(10, () => fired.push(`a@${clock.now()}`));
    clock.setTimer(20, () => fired.push(`c@${clock.now()}`));
    clock.setTimer(21, () => fired.push("late"));
    await clock.advance(20);
    expect(fired).toEqual(["a@10", "b@20", "c@20"]);
    expect(clock.timers).toBe(1);
    expect(clock.nextTimerMs).toBe(1);
  });

  test("advance() lets a loop that awaits set its next timer in time", async () => {
    const clock = new FakeClock(0);
    const stop = new AbortController();
    let rounds = 0;
    const loop = (async () => {
      while (await delay(clock, 1000, stop.signal)) {
        await clock.turn();
        await clock.turn();
        rounds++;
      }
    })();
    await clock.advance("5m");
    expect(rounds).toBe(300);
    expect(clock.now()).toBe(300_000);
    stop.abort();
    await loop;
    expect(clock.timers).toBe(0);
  });

  test("jump() and set() move the wall clock alone", async () => {
    const clock = new FakeClock("2026-01-01T00:00:00Z");
    let fired = false;
    clock.setTimer(1000, () => {
      fired = true;
    });
    clock.jump(-60_000);
    expect(clock.now()).toBe(Date.parse("2025-12-31T23:59:00Z"));
    clock.set("2027-01-01T00:00:00Z");
    expect(clock.monotonic()).toBe(0);
    await clock.settle();
    expect(fired).toBe(false);
    await clock.advance(1000);
    expect(fired).toBe(true);
    expect(clock.now()).toBe(Date.parse("2027-01-01T00:00:01Z"));
    expect(clock.monotonic()).toBe(1000);
  });

  test("a cancelled timer does not fire, and the others around it do", async () => {
    const clock = new FakeClock(0);
    const fired: number[] = [];
    const timers = [5, 5, 5].map((ms, i) => clock.setTimer(ms, () => fired.push(i)));
    timers[1]!.cancel();
    timers[1]!.cancel();
    await clock.advance(5);
    expect(fired).toEqual([0, 2]);
  });

  test("advanceTo() goes to an instant and never back", async () => {
    const clock = new FakeClock("2026-01-01T00:00:00Z");
    await clock.advanceTo("2026-02-01T00:00:00Z");
    await clock.advanceTo("2026-01-15T00:00:00Z");
    expect(new Date(clock.now()).toISOString()).toBe("2026-02-01T00:00:00.000Z");
  });
});
