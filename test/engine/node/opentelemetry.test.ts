/** The real OpenTelemetry SDK: one trace from the request through the job and its child to their steps. */
import * as api from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTelemetry } from "../../../src/engine/telemetry.ts";
import { Bench } from "../../execution/harness.ts";

const exporter = new InMemorySpanExporter();

/** W3C trace context, the part of it that is needed; the SDK's own lives in another package. */
const traceContext: api.TextMapPropagator<Record<string, string>> = {
  inject(context, carrier) {
    const span = api.trace.getSpanContext(context);
    if (span) carrier["traceparent"] = `00-${span.traceId}-${span.spanId}-01`;
  },
  extract(context, carrier) {
    const [, traceId = "", spanId = ""] = (carrier["traceparent"] ?? "").split("-");
    return api.trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
  fields: () => ["traceparent"],
};

beforeAll(() => {
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  api.propagation.setGlobalPropagator(traceContext);
  api.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});

afterAll(() => {
  api.context.disable();
  api.propagation.disable();
  api.trace.disable();
});

test("one trace leads from the request to the steps of a child job, and handlers run within it", async () => {
  const bench = new Bench();
  const inside: (string | undefined)[] = [];
  bench.tasks.define("child", (ctx) =>
    ctx.step("deep", () => {
      inside.push(api.trace.getActiveSpan()?.spanContext().traceId);
    }),
  );
  bench.tasks.define("job", (ctx) => ctx.invoke("call", "child"));
  const node = bench.node();
  const stop = openTelemetry({ engine: node.engine }, api);
  node.start();
  const request = api.trace.getTracer("test").startSpan("request");
  const handle = await api.context.with(api.trace.setSpan(api.context.active(), request), () => node.enqueue("job"));
  request.end();
  await bench.clock.advance("1m");
  await handle.result();
  const spans = exporter.getFinishedSpans();
  const { traceId } = request.spanContext();
  expect(spans.map((span) => span.name).sort()).toEqual([
    "invoke call",
    "request",
    "run child",
    "run job",
    "run job",
    "step deep",
  ]);
  expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  expect(inside).toEqual([traceId]);
  const child = spans.find((span) => span.name === "run child")!;
  const deep = spans.find((span) => span.name === "step deep")!;
  expect(deep.parentSpanContext?.spanId).toBe(child.spanContext().spanId);
  stop();
  await node.stop();
});
