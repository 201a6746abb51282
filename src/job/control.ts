/**
 * How is a job cancelled from outside, and how is a signal sent to it?
 */
import { encodePayload } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import { type Checks, checkOptions, nameOf, text } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";

/** Options of `job(id).cancel`. */
export interface CancelOptions {
  /** Why, for people; stands in the error of the cancelled jobs. @default "cancelled" */
  reason?: string;
}

/** Options of `job(id).signal`. */
export interface SignalOptions {
  /** A signal with the same key is taken once, however often it is sent. @default each call sends a signal of its own */
  key?: string;
}

const CANCEL_CHECKS: Checks<CancelOptions> = { reason: text };
const SIGNAL_CHECKS: Checks<SignalOptions> = { key: nameOf("key") };

/**
 * Cancels a job and all that it invoked. A running job learns of it at its next write or heartbeat; one that runs in this
 * process at once.
 *
 * @returns the ids cancelled, descendants included; empty when the job was over already
 * @throws BelfryError `JOB_UNKNOWN`, `OPTION_INVALID`
 */
export async function cancelJob(engine: Engine, id: string, options: CancelOptions = {}): Promise<string[]> {
  checkOptions(options, "cancel", CANCEL_CHECKS);
  await engine.open();
  const ids = await cancelJobs(engine, [id], options);
  if (ids.length === 0 && !(await engine.storage.getJob({ id }))) throw unknownJob("cancel", id);
  return ids;
}

/** Cancels jobs and all that they invoked, in one batch. @returns the ids cancelled, descendants included */
export async function cancelJobs(
  engine: Engine,
  ids: readonly string[],
  { reason = "cancelled" }: CancelOptions,
): Promise<string[]> {
  const now = engine.clock.now();
  const error = JSON.stringify({ name: "BelfryError", code: "JOB_CANCELLED", message: reason });
  const cancelled = await engine.storage.cancel({ op: engine.ids.token(), now, ids: [...ids], error });
  for (const id of cancelled) {
    engine.events.emit("job:cancelled", { id });
    engine.endings.announce(id, { state: "cancelled", result: null, error });
  }
  return cancelled;
}

/**
 * Sends a value to a job that waits for it with `ctx.waitFor(name)`, or will wait for it later.
 *
 * @returns `accepted`, or `duplicate` when the key was sent before
 * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE` the job is over, `PAYLOAD_UNSERIALIZABLE`, `NAME_INVALID`
 */
export async function signalJob(
  engine: Engine,
  id: string,
  name: string,
  value?: unknown,
  options: SignalOptions = {},
): Promise<"accepted" | "duplicate"> {
  checkName(name, "signal");
  checkOptions(options, "signal", SIGNAL_CHECKS);
  const key = options.key ?? engine.ids.token();
  const payload = await encodePayload(engine.codec, value, `signal ${JSON.stringify(name)}`);
  await engine.open();
  const now = engine.clock.now();
  const signals = [{ jobId: id, name, key, payload }];
  const outcome = (await timed(engine, () => engine.storage.signal({ now, signals }))).outcomes[0]!;
  if (outcome === "unknown") throw unknownJob("signal", id);
  if (outcome === "finished") {
    throw new BelfryError("JOB_STATE", `Cannot signal job ${id}: it is over; signals reach unfinished jobs only`);
  }
  engine.events.emit("signal:sent", { id, signal: name, key });
  return outcome;
}

/** The error of a job that is not stored. */
export function unknownJob(verb: string, id: string): BelfryError {
  return new BelfryError("JOB_UNKNOWN", `Cannot ${verb} job ${JSON.stringify(id)}: no job of that id is stored`);
}
