/**
 * Bad input at the doors of the engine: each gets an error with a stable code and a message that names the remedy, and
 * nothing is written.
 */
import { describe, expect, it } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { Belfry, BelfryError, type ErrorCode } from "../../mod.ts";
import type { Storage } from "../../src/storage/port.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";

const cycle: Record<string, unknown> = { name: "loop" };
cycle["self"] = cycle;

/** What is done wrong, with which code it is refused, and what the message must say. */
const table: [what: string, act: (belfry: Belfry) => unknown, code: ErrorCode, says: RegExp][] = [
  // expressions
  [
    "a bad field",
    (b) => b.schedule("s", "0 25 * * *", "t"),
    "CRON_SYNTAX",
    /in hour, found "25", expected 0-23\n {2}0 25 \* \* \*\n {4}\^/,
  ],
  ["too few fields", (b) => b.schedule("s", "0 9 *", "t"), "CRON_SYNTAX", /5|five/],
  ["a misspelt nickname", (b) => b.schedule("s", "@wekly", "t"), "CRON_SYNTAX", /@weekly/],
  ["a misspelt day", (b) => b.schedule("s", "0 9 * * MONN", "t"), "CRON_SYNTAX", /MON/],
  ["@reboot", (b) => b.schedule("s", "@reboot", "t"), "CRON_SYNTAX", /@reboot/],
  ["an interval under a second", (b) => b.schedule("s", "@every 500ms", "t"), "CRON_SYNTAX", /at least 1s/],
  ["no expression", (b) => b.schedule("s", "", "t"), "CRON_SYNTAX", /nothing/],
  ["30 February", (b) => b.schedule("s", "0 0 30 2 *", "t"), "CRON_NEVER", /never|no occurrence/i],
  // zones
  [
    "an unknown zone",
    (b) => b.schedule("s", "0 9 * * *", "t", { timeZone: "Europe/Olso" }),
    "ZONE_UNKNOWN",
    /did you mean "Europe\/Oslo"\?/,
  ],
  ["an empty zone", (b) => b.schedule("s", "0 9 * * *", "t", { timeZone: "" }), "ZONE_UNKNOWN", /UTC|did you mean/],
  // names
  ["an empty schedule name", (b) => b.schedule("", "* * * * *", "t"), "NAME_INVALID", /empty/],
  ["a schedule name with a line break", (b) => b.schedule("a\nb", "* * * * *", "t"), "NAME_INVALID", /control/],
  ["an empty task name", (b) => b.task("", () => 1), "NAME_INVALID", /empty/],
  ["a task that is none", (b) => b.enqueue(undefined as unknown as string), "NAME_INVALID", /task/],
  ["an empty queue", (b) => b.enqueue("t", 1, { queue: "" }), "NAME_INVALID", /queue/],
  ["an endless name", (b) => b.enqueue("t".repeat(10_000), 1), "NAME_INVALID", /characters/],
  ["a task defined twice", (b) => [b.task("same", () => 1), b.task("same", () => 2)], "TASK_DUPLICATE", /another name/],
  // durations
  ["a negative delay", (b) => b.enqueue("t", 1, { delay: -1 }), "DURATION_INVALID", /negative.*between 0ms/],
  ["an unreadable delay", (b) => b.enqueue("t", 1, { delay: "soon" }), "DURATION_INVALID", /"soon".*"10m"/],
  ["an endless delay", (b) => b.enqueue("t", 1, { delay: Infinity }), "DURATION_INVALID", /not a duration/],
  ["a delay of a thousand years", (b) => b.enqueue("t", 1, { delay: "365250d" }), "DURATION_INVALID", /out of range/],
  ["a negative expiry", (b) => b.schedule("s", "* * * * *", "t", { expiresIn: "-5m" }), "DURATION_INVALID", /negative/],
  [
    "a lease of no time",
    () => new Belfry({ storage: memory(), leaseTtl: 0 }),
    "DURATION_INVALID",
    /leaseTtl.*between 1s and 1h/,
  ],
  ["a claim of a year", () => new Belfry({ storage: memory(), claimTtl: "52w" }), "DURATION_INVALID", /claimTtl/],
  // inputs
  [
    "a function",
    (b) => b.enqueue("t", { f: () => 1 }),
    "PAYLOAD_UNSERIALIZABLE",
    /value at f is a function.*data only/,
  ],
  ["a BigInt", (b) => b.enqueue("t", [1n]), "PAYLOAD_UNSERIALIZABLE", /\[0\] is a BigInt.*string/],
  ["a cycle", (b) => b.enqueue("t", cycle), "PAYLOAD_UNSERIALIZABLE", /self is a cycle/],
  ["NaN", (b) => b.enqueue("t", { a: { b: NaN } }), "PAYLOAD_UNSERIALIZABLE", /a\.b is NaN/],
  ["a Date", (b) => b.enqueue("t", { at: new Date(0) }), "PAYLOAD_UNSERIALIZABLE", /at is an instance of Date.*ISO/],
  ["a Map", (b) => b.enqueue("t", new Map()), "PAYLOAD_UNSERIALIZABLE", /instance of Map/],
  ["undefined in a list", (b) => b.enqueue("t", [undefined]), "PAYLOAD_UNSERIALIZABLE", /\[0\].*null/],
  [
    "a schedule's input",
    (b) => b.schedule("s", "* * * * *", "t", { input: { f: Symbol() } }),
    "PAYLOAD_UNSERIALIZABLE",
    /symbol/,
  ],
  ["too much", (b) => b.enqueue("t", "x".repeat(2_000_000)), "PAYLOAD_TOO_LARGE", /bytes.*reference/],
  // options
  [
    "a misspelt option",
    (b) => b.schedule("s", "* * * * *", "t", { timezone: "UTC" } as object),
    "OPTION_INVALID",
    /timeZone/,
  ],
  [
    "an unknown catch-up",
    (b) => b.schedule("s", "* * * * *", "t", { catchUp: "some" as "all" }),
    "OPTION_INVALID",
    /"all"/,
  ],
  [
    "an unknown overlap",
    (b) => b.schedule("s", "* * * * *", "t", { overlap: "never" as "skip" }),
    "OPTION_INVALID",
    /"skip"/,
  ],
  ["half a priority", (b) => b.enqueue("t", 1, { priority: 0.5 }), "OPTION_INVALID", /whole number/],
  ["delay and runAt", (b) => b.enqueue("t", 1, { delay: 1, runAt: 1 }), "OPTION_INVALID", /exclude each other/],
  [
    "for and budget of one tick",
    (b) => b.tick({ for: "55s", budget: "5s" }),
    "OPTION_INVALID",
    /for and budget of tick together.*leave one out/,
  ],
  [
    "a misspelt event",
    (b) => b.on("job:complete" as "job:completed", () => {}),
    "OPTION_INVALID",
    /did you mean job:completed\?/,
  ],
  [
    "many jobs without a filter",
    (b) => b.jobs.cancelMany(undefined as never),
    "OPTION_INVALID",
    /\{\} selects every job/,
  ],
  [
    "many jobs by a task that is undefined",
    (b) => b.jobs.retryMany({ task: undefined } as never),
    "OPTION_INVALID",
    /task of jobs\.retryMany: it is undefined, but must be left out/,
  ],
  ["no storage", () => new Belfry({} as { storage: Storage }), "OPTION_INVALID", /belfry\/sqlite/],
  ["a crowd", () => new Belfry({ storage: memory(), concurrency: 0 }), "OPTION_INVALID", /1 to 10,000/],
  ["a handler that is none", (b) => b.task("t", "run" as unknown as () => void), "OPTION_INVALID", /function/],
  // what is not there
  ["a signal to nobody", (b) => b.job("no-such-job").signal("go"), "JOB_UNKNOWN", /no job of that id/],
  ["cancelling nothing", (b) => b.job("no-such-job").cancel(), "JOB_UNKNOWN", /no job of that id/],
  ["an update of nothing", (b) => b.schedules.update("nine", { priority: 1 }), "SCHEDULE_UNKNOWN", /nine/],
];

async function rows(storage: Storage): Promise<number> {
  let count = 0;
  let cursor: string | null = null;
  do {
    const { page, cursor: next } = await storage.exportPage({ cursor, limit: 100 });
    count += page.rows.length;
    cursor = next;
  } while (cursor !== null);
  return count;
}

describe("bad input is refused before anything is written", () => {
  it.each(table)("%s", async (_what, act, code, says) => {
    const storage = memory();
    const belfry = new Belfry({ storage, clock: new FakeClock(), ids: countedIds() });
    const error: unknown = await (async () => act(belfry))().then(
      (value) => Promise.all(Array.isArray(value) ? value : [value]).then(() => expect.fail("it was taken")),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BelfryError);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(says);
    expect(await rows(storage)).toBe(0);
    await belfry.close();
  });

  it("a misspelt name of a known schedule gets a hint", async () => {
    const belfry = new Belfry({ storage: memory(), clock: new FakeClock() });
    await belfry.schedule("daily-report", "@daily", "report");
    await expect(belfry.schedules.update("daily-reprot", { priority: 1 })).rejects.toMatchObject({
      code: "SCHEDULE_UNKNOWN",
      message: expect.stringContaining("daily-report"),
    });
    await belfry.close();
  });

  it("a job of a task that no worker knows waits, and is reported", async () => {
    const clock = new FakeClock();
    const reported: unknown[] = [];
    const belfry = new Belfry({ storage: memory(), clock, onError: (error) => reported.push(error) });
    belfry.task("report", () => 1);
    const job = await belfry.enqueue("raport");
    const stop = new AbortController();
    const running = belfry.run({ signal: stop.signal });
    await clock.advance("2m");
    expect(await job.status()).toBe("ready");
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatchObject({ code: "TASK_UNKNOWN", message: expect.stringMatching(/raport.*report/s) });
    stop.abort();
    await clock.advance("1m");
    await running;
    await belfry.close();
  });
});
