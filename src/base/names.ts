/**
 * Which texts may name tasks, queues, steps, signals and keys.
 *
 * Names are compared byte for byte in every storage, go into indexes, logs and URLs, and are read by people: so they are
 * non-empty, bounded, free of control characters and of lone surrogates (which UTF-8 cannot hold), and do not begin or
 * end with a space.
 */
import { BelfryError } from "./error.ts";

/** Longest name, in UTF-16 code units. */
const MAX_NAME_LENGTH = 256;

/**
 * Checks a name.
 *
 * @param what whose name it is, for the error: `task`
 * @returns the name
 * @throws BelfryError `NAME_INVALID`
 */
export function checkName(name: unknown, what: string): string {
  const problem = fault(name);
  if (problem === undefined) return name as string;
  throw new BelfryError(
    "NAME_INVALID",
    `Cannot use ${typeof name === "string" ? JSON.stringify(name.slice(0, 80)) : String(name)} as the name of a ${what}: ` +
      `${problem}; a name is 1 to ${MAX_NAME_LENGTH} printable characters`,
  );
}

function fault(name: unknown): string | undefined {
  if (typeof name !== "string") return `it is of type ${name === null ? "null" : typeof name}`;
  if (name === "") return "it is empty";
  if (name.length > MAX_NAME_LENGTH) return `it has ${name.length} characters`;
  // Most names are plain; only others are looked at twice.
  if (/^[\w./:@#()-]+$/.test(name)) return undefined;
  if (/\p{Cc}/u.test(name)) return "it has a control character";
  if (/\p{Cs}/u.test(name)) return "it has half a surrogate pair";
  if (name.trim() !== name) return "it begins or ends with a space";
  return undefined;
}
