/** What ends an interruptible sleep. */
import { expect, test } from "vitest";
import { InterruptibleSleep } from "../../src/base/interruptible_sleep.ts";
import { FakeClock } from "../../src/testing/mod.ts";

/** A place to sleep, and who has woken up there. */
function setUp() {
  const clock = new FakeClock();
  const place = new InterruptibleSleep(clock);
  const woken: string[] = [];
  const sleep = (name: string, ms: number, signal?: AbortSignal): void =>
    void place.sleep(ms, signal).then(() => woken.push(name));
  return { clock, place, woken, sleep };
}

test("InterruptibleSleep ends by time", async () => {
  const { clock, woken, sleep } = setUp();
  sleep("a", 100);
  await clock.advance(99);
  expect(woken).toEqual([]);
  await clock.advance(1);
  expect(woken).toEqual(["a"]);
});

test("InterruptibleSleep does not begin when there is no time left, or its signal is aborted", async () => {
  const { clock, woken, sleep } = setUp();
  sleep("a", 0);
  sleep("b", -1);
  sleep("c", Infinity, AbortSignal.abort());
  await clock.settle();
  expect(woken).toEqual(["a", "b", "c"]);
});

test("wake() ends every sleep that has begun, and leaves no timer behind", async () => {
  const { clock, place, woken, sleep } = setUp();
  place.wake();
  sleep("a", 100);
  sleep("b", Infinity);
  await clock.settle();
  expect(woken).toEqual([]);
  place.wake();
  await clock.settle();
  expect(woken).toEqual(["a", "b"]);
  expect(clock.timers).toBe(0);
});

test("an abort ends the sleeps that were given the signal, and no others", async () => {
  const { clock, woken, sleep } = setUp();
  const stop = new AbortController();
  sleep("a", Infinity, stop.signal);
  sleep("b", Infinity);
  stop.abort();
  await clock.settle();
  expect(woken).toEqual(["a"]);
});
