/**
 * About how many bytes does a text take inside a request? It travels as a JSON string within JSON, so quotes and
 * backslashes count twice and characters outside ASCII more than once.
 */

/** Texts up to this length are estimated; the allowance for a row covers the error. */
const SHORT = 2_000;
const encoder = new TextEncoder();

/** Estimates a short text and measures a long one. @returns bytes */
export function jsonSize(text: string | null | undefined): number {
  if (text === null || text === undefined) return 0;
  if (text.length <= SHORT) return text.length;
  return encoder.encode(JSON.stringify(text)).length;
}
