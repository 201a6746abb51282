/**
 * OpenTelemetry spans and metrics of jobs and schedules, through the `@opentelemetry/api` that the user passes in.
 *
 * The trace of a job begins where the job was enqueued: its `traceparent` is stored with the job. Each run of the job is a
 * span of kind CONSUMER in that trace; the handler is called in its context, so spans that the handler makes are children
 * of it. Each step that was saved becomes a span. Metrics are counters and histograms of the same events. Names follow the
 * semantic conventions for messaging where these fit (`messaging.destination.name` is the queue).
 */

import { parseJobOptions } from "../task/options.ts";
import type { Engine } from "./engine.ts";
import type { JobRunEvent, StepEvent } from "./events.ts";

type Attributes = Record<string, string | number | boolean>;

/** The part of a span that is used. */
export interface SpanLike {
  setStatus(status: { code: number; message?: string }): unknown;
  setAttributes(attributes: Attributes): unknown;
  end(time?: number): void;
}

/** The part of `@opentelemetry/api` that is used; the package itself has this type. */
export interface OpenTelemetryApi<Context = unknown> {
  trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { kind?: number; startTime?: number; attributes?: Attributes },
        context: Context,
      ): SpanLike;
    };
    setSpan(context: Context, span: never): Context;
  };
  metrics: {
    getMeter(name: string): {
      createCounter(
        name: string,
        options?: { description?: string },
      ): { add(value: number, attributes?: Attributes): void };
      createHistogram(
        name: string,
        options?: { description?: string; unit?: string },
      ): { record(value: number, attributes?: Attributes): void };
    };
  };
  context: { active(): Context; with(context: Context, call: () => unknown): unknown };
  propagation: {
    inject(context: Context, carrier: Record<string, string>): void;
    extract(context: Context, carrier: Record<string, string>): Context;
  };
}

/** `SpanKind.CONSUMER`, `SpanKind.INTERNAL` and `SpanStatusCode.ERROR` of the API; they are stable numbers. */
const CONSUMER = 4;
const INTERNAL = 0;
const ERROR = 2;

/**
 * Traces and measures the jobs that a Belfry runs.
 *
 * @param belfry the Belfry
 * @param api `import * as api from "@opentelemetry/api"`
 * @returns a function that stops
 *
 * @example
 * ```ts ignore
 * import * as api from "@opentelemetry/api";
 * import { openTelemetry } from "belfry";
 *
 * openTelemetry(belfry, api);
 * ```
 */
export function openTelemetry<Context>(
  belfry: { readonly engine: Engine },
  api: OpenTelemetryApi<Context>,
): () => void {
  const { engine } = belfry;
  const tracer = api.trace.getTracer("belfry");
  const meter = api.metrics.getMeter("belfry");
  const finished = meter.createCounter("belfry.jobs.finished", { description: "Jobs that ended, by outcome" });
  const retried = meter.createCounter("belfry.jobs.retried", {
    description: "Attempts that failed and will be repeated",
  });
  const enqueued = meter.createCounter("belfry.jobs.enqueued", { description: "Jobs enqueued by this process" });
  const fired = meter.createCounter("belfry.schedules.fired", { description: "Occurrences that became jobs" });
  const skipped = meter.createCounter("belfry.schedules.skipped", {
    description: "Occurrences that did not, by reason",
  });
  const durations = meter.createHistogram("belfry.job.run.duration", { unit: "ms", description: "Runs of handlers" });
  const lateness = meter.createHistogram("belfry.job.late", { unit: "ms", description: "From available to started" });
  const stepDurations = meter.createHistogram("belfry.step.duration", { unit: "ms", description: "Steps" });
  /** Spans of runs that are under way, by job. */
  const runs = new Map<string, { span: SpanLike; context: Context }>();

  const { events } = engine;
  const begin = (job: JobRunEvent): { span: SpanLike; context: Context } => {
    const { traceparent } = parseJobOptions(job.options);
    const parent =
      traceparent === undefined ? api.context.active() : api.propagation.extract(api.context.active(), { traceparent });
    const span = tracer.startSpan(`run ${job.task}`, { kind: CONSUMER, attributes: attributesOf(job) }, parent);
    const run = { span, context: api.trace.setSpan(parent, span as never) };
    runs.set(job.id, run);
    return run;
  };
  const end = (job: JobRunEvent & { durationMs: number }, outcome: string, error?: { message: string }): void => {
    durations.record(job.durationMs, { task: job.task, outcome });
    const run = runs.get(job.id);
    if (!run) return;
    runs.delete(job.id);
    run.span.setAttributes({ "belfry.outcome": outcome });
    if (error) run.span.setStatus({ code: ERROR, message: error.message });
    run.span.end();
  };
  const step = (event: StepEvent, error?: { message: string }): void => {
    stepDurations.record(event.durationMs, { task: event.task, kind: event.kind });
    const run = runs.get(event.id);
    if (!run) return;
    const endTime = engine.clock.now();
    const attributes = { "belfry.step": event.step, "belfry.step.kind": event.kind, "belfry.step.tries": event.tries };
    const span = tracer.startSpan(
      `${event.kind} ${event.step}`,
      { kind: INTERNAL, startTime: endTime - event.durationMs, attributes },
      run.context,
    );
    if (error) span.setStatus({ code: ERROR, message: error.message });
    span.end(endTime);
  };

  engine.tracing = {
    wrap: (job, call) => api.context.with(begin(job).context, call),
    traceparent() {
      const carrier: Record<string, string> = {};
      api.propagation.inject(api.context.active(), carrier);
      return carrier["traceparent"];
    },
  };
  const offs = [
    events.on("job:enqueued", ({ task, queue }) => enqueued.add(1, { task, queue })),
    events.on("job:started", ({ task, lateMs, resumed }) => resumed || lateness.record(lateMs, { task })),
    events.on("job:completed", (job) => {
      finished.add(1, { task: job.task, outcome: "completed" });
      end(job, "completed");
    }),
    events.on("job:failed", (job) => {
      finished.add(1, { task: job.task, outcome: "failed" });
      end(job, "failed", job.error);
    }),
    events.on("job:retried", (job) => {
      retried.add(1, { task: job.task });
      end(job, "retried", job.error);
    }),
    events.on("job:suspended", (job) => end(job, "suspended")),
    events.on("job:released", (job) => end(job, "released")),
    events.on("job:lost", (job) => end(job, "lost", { message: "the claim was lost" })),
    events.on("step:completed", (event) => step(event)),
    events.on("step:failed", (event) => step(event, event.error)),
    events.on("schedule:fired", ({ schedule }) => fired.add(1, { schedule })),
    events.on("schedule:skipped", ({ schedule, reason, count }) => skipped.add(count, { schedule, reason })),
  ];
  return () => {
    engine.tracing = undefined;
    for (const off of offs) off();
    for (const { span } of runs.values()) span.end();
    runs.clear();
  };
}

function attributesOf(job: JobRunEvent): Attributes {
  return {
    "messaging.system": "belfry",
    "messaging.destination.name": job.queue,
    "messaging.message.id": job.id,
    "belfry.task": job.task,
    "belfry.attempt": job.attempt,
    "belfry.fence": job.fence,
    ...(job.schedule === null ? {} : { "belfry.schedule": job.schedule }),
    ...(job.scheduledAt === null ? {} : { "belfry.scheduled_at": job.scheduledAt }),
  };
}
