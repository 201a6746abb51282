/**
 * Does an error say that the storage refuses this very request, and will refuse it again? Then it concerns the one job that
 * asked for it. A full disk, a read-only database or a missing table concern every job, and may be mended.
 */
import { BelfryError } from "../base/error.ts";

const CODES = new Set(["STORAGE_UNUSABLE", "PAYLOAD_UNSERIALIZABLE", "PAYLOAD_TOO_LARGE"]);
/** Words by which databases say that they cannot be written at all for now. */
const FOR_ALL =
  /disk is full|SQLITE_FULL|read-?only|refuses the token|no such (table|column)|does not exist|permission/i;

/** Tells a definite refusal from the absence of an answer and from troubles that concern every request. */
export function isRefusal(error: unknown): boolean {
  // A message that is longer than a text may be is refused by the runtime itself.
  if (error instanceof RangeError) return true;
  return error instanceof BelfryError && CODES.has(error.code) && !FOR_ALL.test(error.message);
}
