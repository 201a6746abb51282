/** Loggers keep every field, stay on their line, and harm nobody when they fail. */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { Belfry, jsonLogger, type Logger, pinoLogger } from "../../mod.ts";
import { guardedLogger, loggerOf, oneLine } from "../../src/base/log.ts";
import { FakeClock } from "../../src/testing/mod.ts";

interface Line {
  level: string;
  message: string;
  fields: Record<string, unknown> | undefined;
}

function recorder(): { lines: Line[]; logger: Logger } {
  const lines: Line[] = [];
  return { lines, logger: loggerOf((level, message, fields) => void lines.push({ level, message, fields }), "debug") };
}

describe("jsonLogger", () => {
  test("writes errors with their causes, own fields and aggregated errors", () => {
    const lines: string[] = [];
    const logger = jsonLogger({ write: (line) => lines.push(line), now: () => 0 });
    const error = new AggregateError([new Error("a"), new RangeError("b")], "all failed", { cause: new Error("why") });
    logger.error("it broke", { error, job: "j" });
    const { level, time, message, job, error: written } = JSON.parse(lines[0]!);
    expect({ level, time, message, job }).toEqual({
      ...{ level: "error", time: "1970-01-01T00:00:00.000Z", message: "it broke", job: "j" },
    });
    expect([written.name, written.message, written.cause.message]).toEqual(["AggregateError", "all failed", "why"]);
    expect(written.errors.map((each: { name: string }) => each.name)).toEqual(["Error", "RangeError"]);
  });

  test("writes circles, BigInt and getters that throw instead of throwing itself", () => {
    const lines: string[] = [];
    const logger = jsonLogger({ write: (line) => lines.push(line) });
    const circle: Record<string, unknown> = { big: 10n };
    circle["self"] = circle;
    const hostile = Object.defineProperty({}, "x", { enumerable: true, get: () => raise() });
    logger.info("odd", { circle, hostile });
    expect(JSON.parse(lines[0]!)).toEqual({
      ...{ level: "info", message: "odd", circle: { big: "10", self: "[...]" }, hostile: "[unreadable: never]" },
    });
  });

  test("drops what is below its level", () => {
    const lines: string[] = [];
    const logger = jsonLogger({ level: "warn", write: (line) => lines.push(line) });
    logger.info("no");
    logger.warn("yes");
    expect(lines.length).toBe(1);
  });
});

test("pinoLogger gives pino the fields first, with the error as err", () => {
  const calls: unknown[] = [];
  const take = (fields: object, message: string) => void calls.push([fields, message]);
  const error = new Error("x");
  pinoLogger({ debug: take, info: take, warn: take, error: take }).warn("careful", { job: "j", error });
  expect(calls).toEqual([[{ job: "j", err: error }, "careful"]]);
});

test("a message keeps to its line, whatever a name in it contains", () => {
  expect(oneLine("a\nbelfry: all is well\u001b[2J\u2028")).toBe("a\\nbelfry: all is well\\u001b[2J\\u2028");
});

test("a logger or an onError that throws or rejects stops nothing", async () => {
  const reject = (): never => Promise.reject(new Error("logger")) as never;
  for (const broken of [raise as never, reject]) {
    const logger = { debug: broken, info: broken, warn: broken, error: broken } as Logger;
    guardedLogger(logger).error("x");
    const belfry = new Belfry({ storage: memory(), clock: new FakeClock(), logger, onError: broken });
    belfry.on("job:started", () => raise());
    belfry.task("t", () => raise(), { retry: false });
    belfry.task("u", () => 1);
    const failing = await belfry.enqueue("t");
    const good = await belfry.enqueue("u");
    await belfry.tick();
    await expect(failing.result()).rejects.toMatchObject({ code: "JOB_FAILED" });
    expect(await good.result()).toBe(1);
    await belfry.close();
  }
});

describe("without being asked, the log tells", () => {
  test("of a job that failed, once, with its id, task, attempt and error", async () => {
    const { lines, logger } = recorder();
    const clock = new FakeClock();
    const belfry = new Belfry({ storage: memory(), clock, logger });
    belfry.task("mail", () => raise(), { retry: 2 });
    const job = await belfry.enqueue("mail");
    await belfry.tick();
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    await clock.advance(60_000);
    await belfry.tick();
    const errors = lines.filter(({ level }) => level === "error");
    expect(errors.map(({ message }) => message)).toEqual([
      `Job ${job.id} of task "mail" failed at attempt 2: Error: never`,
    ]);
    expect(errors[0]!.fields).toMatchObject({ job: job.id, task: "mail", attempt: 2, error: { message: "never" } });
    await belfry.close();
  });

  test("of skipped occurrences, the first at once and the rest in one line a minute", async () => {
    const { lines, logger } = recorder();
    const clock = new FakeClock(0);
    const belfry = new Belfry({ storage: memory(), clock, logger });
    belfry.task("slow", async (ctx) => ctx.sleep("long", "1d"));
    await belfry.schedule("s", "@every 1s", "slow", { overlap: "skip" });
    for (let second = 0; second < 70; second++) {
      await clock.advance(1_000);
      await belfry.tick();
    }
    const skipped = lines.filter(({ message }) => message.startsWith('Schedule "s" skipped'));
    expect(skipped.map(({ level }) => level)).toEqual(["warn", "warn"]);
    const counts = skipped.map(({ fields }) => fields!["count"] as number);
    await belfry.close();
    const last = lines.at(-1)!.fields!["count"] as number;
    expect(counts[0]! + counts[1]! + last).toBe(69);
  });
});

function raise(): never {
  throw new Error("never");
}
