/**
 * How does the code get a recorded result? Decoded, in the form that storage gives it, whether it is new or replayed.
 */
import { type Codec, decodeNow } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { fromFailure, parseFailure } from "../task/failure.ts";
import type { DurableCall } from "./durable_call.ts";
import type { CallResult } from "./history.ts";

/**
 * Decodes a result's output, once.
 *
 * @returns undefined when it is decoded; otherwise a promise that resolves when it is
 * @throws BelfryError `PAYLOAD_UNREADABLE`
 */
export function decodeResult(codec: Codec, result: CallResult): Promise<void> | undefined {
  const { output, state, name } = result.record;
  if (result.decoded || output === null || state !== "done") return undefined;
  const value = decodeNow(codec, output, `output of step ${JSON.stringify(name)}`);
  const keep = (decoded: unknown): void => {
    result.value = decoded;
    result.decoded = true;
  };
  if (value instanceof Promise) return value.then(keep);
  keep(value);
  return undefined;
}

/** Settles a call's promise with its decoded result. @returns the error that the promise was rejected with */
export function deliver(call: DurableCall, result: CallResult): Error | undefined {
  const { record } = result;
  result.delivered = true;
  const { spec } = call;
  let error: Error | undefined;
  if (record.state === "failed") error = fromFailure(parseFailure(record.error ?? ""));
  else if (spec.kind === "wait" && spec.throws && record.signalKey === null) {
    error = new BelfryError(
      "SIGNAL_TIMEOUT",
      `The wait ${JSON.stringify(record.name)} of job ${record.jobId} timed out: no signal ${JSON.stringify(spec.signal)} came`,
    );
  }
  if (error) call.reject(error);
  else call.resolve(record.kind === "spawn" ? record.childId : result.value);
  return error;
}
