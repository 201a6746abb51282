/**
 * How is a value written into the text of a Postgres statement, safely? Quoted so that every setting of the server
 * reads it alike.
 *
 * Text without a backslash is a plain literal; text with one is written as E'...', whose escapes do not depend on
 * `standard_conforming_strings`. The NUL character, which Postgres cannot store and which would end the message, is
 * refused.
 */
import { BelfryError } from "../../base/error.ts";
import { type Query, sent, type Value } from "../driver.ts";

/** Writes a value as a literal. @throws BelfryError `PAYLOAD_UNSERIALIZABLE` for text with a NUL character */
export function literal(given: Value | undefined): string {
  const value = sent(given);
  if (value === null) return "NULL";
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value))
      throw new RangeError(`Cannot store ${value}: it is not a whole number below 2^53`);
    return value < 0 ? `(${value})` : String(value);
  }
  if (value.includes("\0")) {
    throw new BelfryError(
      "PAYLOAD_UNSERIALIZABLE",
      "Cannot store a text with a NUL character in Postgres; leave it out, or encode the text (base64)",
    );
  }
  const quoted = value.includes("'") ? value.replaceAll("'", "''") : value;
  return value.includes("\\") ? `E'${quoted.replaceAll("\\", "\\\\")}'` : `'${quoted}'`;
}

/** Writes a statement with its values in it. */
export function textOf({ sql, args }: Query): string {
  const { parts, slots } = sql;
  let text = parts[0]!;
  for (const [i, name] of slots.entries()) text += literal(args[name]) + parts[i + 1]!;
  return text;
}
