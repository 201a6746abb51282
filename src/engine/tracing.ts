/**
 * The seam for tracing: who wraps handlers and who knows the trace that a job is enqueued in.
 */
import type { JobRunEvent } from "./events.ts";

/** What a tracer does for an engine. */
export interface Tracing {
  /** Calls the handler in the job's trace. */
  wrap(job: JobRunEvent, call: () => unknown): unknown;
  /** W3C `traceparent` of what runs now; undefined: none. */
  traceparent(): string | undefined;
}
