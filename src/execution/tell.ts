/**
 * Telling the code an outcome: decoded, in the form that storage gives it, whether it is new or replayed.
 */
import { type Codec, decodeNow } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { fromFailure, parseFailure } from "../task/failure.ts";
import type { Ask } from "./ask.ts";
import type { Outcome } from "./history.ts";

/**
 * Decodes an outcome's output, once.
 *
 * @returns undefined when it is decoded; otherwise a promise of that
 * @throws BelfryError `PAYLOAD_UNREADABLE`
 */
export function decodeOutcome(codec: Codec, outcome: Outcome): Promise<void> | undefined {
  const { output, state, name } = outcome.record;
  if (outcome.decoded || output === null || state !== "done") return undefined;
  const value = decodeNow(codec, output, `output of step ${JSON.stringify(name)}`);
  const keep = (decoded: unknown): void => {
    outcome.value = decoded;
    outcome.decoded = true;
  };
  if (value instanceof Promise) return value.then(keep);
  keep(value);
  return undefined;
}

/** Settles the ask's promise. @returns the error that it was rejected with */
export function tellOutcome(ask: Ask, outcome: Outcome): Error | undefined {
  const { record } = outcome;
  outcome.told = true;
  const { wanted } = ask;
  let error: Error | undefined;
  if (record.state === "failed") error = fromFailure(parseFailure(record.error ?? ""));
  else if (wanted.kind === "wait" && wanted.throws && record.signalKey === null) {
    error = new BelfryError(
      "SIGNAL_TIMEOUT",
      `No signal ${JSON.stringify(wanted.signal)} reached job ${record.jobId} in time`,
    );
  }
  if (error) ask.reject(error);
  else ask.resolve(record.kind === "spawn" ? record.childId : outcome.value);
  return error;
}
