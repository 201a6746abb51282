/**
 * What is not stored is an answer, not an error, where it is read by name: null.
 */
import { RequestError } from "./request.ts";

/** Waits for what was read; null where the server says that nothing of this name is stored. */
export async function ifKnown<T>(code: "JOB_UNKNOWN" | "SCHEDULE_UNKNOWN", reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof RequestError && error.code === code) return null;
    throw error;
  }
}
