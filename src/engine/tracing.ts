/**
 * The seam for tracing: who wraps handlers and who knows the trace that a job is enqueued in.
 *
 * One table by engine, so that the engine knows nothing of any tracer and pays one look-up where there is none.
 */
import type { Engine } from "./engine.ts";
import type { JobRunEvent } from "./events.ts";

/** What a tracer does for an engine. */
export interface Tracing {
  /** Calls the handler in the job's trace. */
  wrap(job: JobRunEvent, call: () => unknown): unknown;
  /** W3C `traceparent` of what runs now; undefined: none. */
  traceparent(): string | undefined;
}

const tracings = new WeakMap<Engine, Tracing>();

/** Sets the engine's tracer. @returns a function that takes it away */
export function setTracing(engine: Engine, tracing: Tracing): () => void {
  tracings.set(engine, tracing);
  return () => void tracings.delete(engine);
}

/** The engine's tracer. */
export function tracingOf(engine: Engine): Tracing | undefined {
  return tracings.get(engine);
}
