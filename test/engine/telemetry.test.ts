/** Events and OpenTelemetry: what is emitted, what a failing listener affects, and how far traces reach. */
import { describe, expect, test } from "vitest";
import { type OpenTelemetryApi, openTelemetry } from "../../src/engine/telemetry.ts";
import { Bench } from "../execution/harness.ts";

describe("events", () => {
  test("events of a job are emitted in order, from enqueued to completed", async () => {
    const bench = new Bench();
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("a", () => 1);
        await ctx.sleep("nap", "1h");
        await ctx.step(
          "b",
          ({ tries }) => {
            if (tries === 1) throw new Error("once");
          },
          { retry: { maxAttempts: 2, initial: "1h", jitter: "none" } },
        );
        if (ctx.job.attempt === 1) throw new Error("attempt");
      },
      { retry: { maxAttempts: 2, initial: "1h", jitter: "none" } },
    );
    const node = bench.node();
    const emitted: string[] = [];
    for (const name of [
      "job:enqueued",
      "job:started",
      "job:suspended",
      "job:retried",
      "job:completed",
      "step:completed",
      "step:retried",
    ] as const) {
      node.engine.events.on(name, (event) => void emitted.push("step" in event ? `${name} ${event.step}` : name));
    }
    node.start();
    await node.enqueue("job");
    await bench.clock.advance("4h");
    expect(emitted).toEqual([
      "job:enqueued",
      "job:started",
      "step:completed a",
      "job:suspended",
      "job:started",
      "step:completed nap",
      "step:retried b",
      "job:suspended",
      "job:started",
      "step:completed b",
      "job:retried",
      "job:started",
      "job:completed",
    ]);
    await node.stop();
  });

  test("a listener that throws or rejects is reported and affects no other; off() removes a listener", async () => {
    const bench = new Bench();
    bench.tasks.define("job", () => 1);
    const node = bench.start();
    let heard = 0;
    node.engine.events.on("job:completed", () => {
      throw new Error("listener");
    });
    node.engine.events.on("job:completed", () => Promise.reject(new Error("async listener")));
    const off = node.engine.events.on("job:completed", () => void heard++);
    const first = await node.enqueue("job");
    await bench.clock.settle();
    off();
    await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(first.id)).state).toBe("completed");
    expect(heard).toBe(1);
    expect(node.errors.map(String)).toEqual([
      "Error: listener",
      "Error: async listener",
      "Error: listener",
      "Error: async listener",
    ]);
    await node.stop();
  });
});

/** A stand-in with the shape of `@opentelemetry/api`: contexts are lists of span names. */
function fakeApi() {
  const spans: { name: string; parent: string; status?: string; ended: boolean }[] = [];
  const counts: Record<string, number> = {};
  let active: string[] = [];
  const api: OpenTelemetryApi<string[]> = {
    trace: {
      getTracer: () => ({
        startSpan(name, _options, context) {
          const span = { name, parent: context.at(-1) ?? "", ended: false };
          spans.push(span);
          return {
            name,
            setStatus: ({ message }: { message?: string }) => Object.assign(span, { status: message }),
            setAttributes: () => {},
            end: () => {
              span.ended = true;
            },
          };
        },
      }),
      setSpan: (context, span) => [...context, (span as { name: string }).name],
    },
    metrics: {
      getMeter: () => ({
        createCounter: (name) => ({ add: (value) => (counts[name] = (counts[name] ?? 0) + value) }),
        createHistogram: (name) => ({ record: () => (counts[name] = (counts[name] ?? 0) + 1) }),
      }),
    },
    context: {
      active: () => active,
      with(context, call) {
        const before = active;
        active = context;
        try {
          return call();
        } finally {
          active = before;
        }
      },
    },
    propagation: {
      inject: (context, carrier) => {
        if (context.length > 0) carrier["traceparent"] = context.join("/");
      },
      extract: (_context, carrier) => (carrier["traceparent"] ?? "").split("/"),
    },
  };
  return { api, spans, counts };
}

describe("openTelemetry()", () => {
  test("the run of a job is a span below the one that enqueued it, with spans of steps and child jobs below it", async () => {
    const bench = new Bench();
    bench.tasks.define("child", () => 1);
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("a", () => 1);
        await ctx.invoke("c", "child");
        await ctx.step("bad", () => Promise.reject(new Error("no")));
      },
      { retry: false },
    );
    const node = bench.node();
    const { api, spans, counts } = fakeApi();
    const stop = openTelemetry({ engine: node.engine }, api);
    node.start();
    await (api.context.with(["request"], () => node.enqueue("job")) as Promise<unknown>);
    await bench.clock.advance("1m");
    expect(spans.every((span) => span.ended)).toBe(true);
    expect(spans.map(({ name, parent }) => `${parent} > ${name}`)).toEqual([
      "request > run job",
      "run job > step a",
      "request > run child",
      "request > run job",
      "run job > invoke c",
    ]);
    expect(spans[3]).toMatchObject({ status: "no" });
    expect(counts).toMatchObject({
      "belfry.jobs.enqueued": 1,
      "belfry.jobs.finished": 2,
      "belfry.step.duration": 2,
      "belfry.job.late": 2,
    });
    stop();
    await node.enqueue("job");
    await bench.clock.advance("1m");
    expect(spans).toHaveLength(5);
    await node.stop();
  });
});
