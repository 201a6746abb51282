/**
 * The interface between the engine and a tracer, so that the engine depends on no tracing library.
 */
import type { JobRunEvent } from "./events.ts";

/** A tracer, as the engine calls it. */
export interface Tracing {
  /** Calls the handler within the job's trace. */
  wrap(job: JobRunEvent, call: () => unknown): unknown;
  /** Returns the W3C `traceparent` of the code that runs now, to be stored with a new job; undefined: no trace. */
  traceparent(): string | undefined;
}
