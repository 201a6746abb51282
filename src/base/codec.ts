/**
 * Payloads: values to text and back, without losing anything on the way.
 *
 * Values travel as JSON. What JSON would drop or change silently (functions, symbols, BigInt, NaN, cycles, Map, Date,
 * class instances, undefined in an array) is refused with the path to it, before anything is written. `undefined` as a
 * property stands for "no value", as in JavaScript; at the top it is stored as the empty text, which no JSON is, so that
 * what returned `undefined` does not come back as `null`. A `Codec` turns the JSON text into what is stored
 * (encryption, compression) and back; it never sees the empty text.
 */
import { BelfryError } from "./error.ts";

/** Turns JSON text into what is stored, and back. Both may be asynchronous. */
export interface Codec {
  encode(json: string): string | Promise<string>;
  decode(stored: string): string | Promise<string>;
}

/** Stores JSON as it is: the default. */
export const plainCodec: Codec = { encode: (json) => json, decode: (stored) => stored };

/** Largest encoded payload by default: one MiB, under the value limit of every storage. */
const MAX_PAYLOAD_BYTES: number = 1_048_576;

/**
 * Writes a value as JSON, refusing what JSON would lose.
 *
 * @param what the value's role, for the error: `input of task "report"`
 * @returns JSON text; `"null"` for `undefined`
 * @throws BelfryError `PAYLOAD_UNSERIALIZABLE` with the path of the part that JSON cannot hold
 */
export function toJson(value: unknown, what: string): string {
  check(value, "", what, new Set());
  return JSON.stringify(value) ?? "null";
}

/** Reads JSON that {@link toJson} wrote. */
export function fromJson(json: string): unknown {
  return JSON.parse(json);
}

/**
 * Encodes a value for the storage.
 *
 * @throws BelfryError `PAYLOAD_UNSERIALIZABLE`, `PAYLOAD_TOO_LARGE`
 */
export async function encodePayload(codec: Codec, value: unknown, what: string): Promise<string> {
  return encodeNow(codec, value, what);
}

/** {@link encodePayload}, without a promise where the codec needs none. */
export function encodeNow(codec: Codec, value: unknown, what: string): string | Promise<string> {
  if (value === undefined) return "";
  const stored = codec.encode(toJson(value, what));
  return typeof stored === "string" ? bounded(stored, what) : stored.then((text) => bounded(text, what));
}

/**
 * Decodes a stored value.
 *
 * @throws BelfryError `PAYLOAD_UNREADABLE` when the codec or the JSON parser refuses it
 */
export async function decodePayload(codec: Codec, stored: string, what: string): Promise<unknown> {
  return decodeNow(codec, stored, what);
}

/** {@link decodePayload}, without a promise where the codec needs none. */
export function decodeNow(codec: Codec, stored: string, what: string): unknown | Promise<unknown> {
  if (stored === "") return undefined;
  const refuse = (cause: unknown): never => {
    throw new BelfryError(
      "PAYLOAD_UNREADABLE",
      `Cannot read the ${what}: ${cause instanceof Error ? cause.message : String(cause)}; ` +
        "was it written with another codec or key?",
      { cause },
    );
  };
  try {
    const json = codec.decode(stored);
    return typeof json === "string" ? fromJson(json) : json.then(fromJson).catch(refuse);
  } catch (cause) {
    refuse(cause);
    return;
  }
}

function bounded(stored: string, what: string): string {
  const bytes = byteLength(stored);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new BelfryError(
      "PAYLOAD_TOO_LARGE",
      `Cannot store the ${what}: it takes ${bytes} bytes and at most ${MAX_PAYLOAD_BYTES} fit; ` +
        "store the data elsewhere and pass a reference to it",
    );
  }
  return stored;
}

/** Bytes of a text in UTF-8; exact work only where the length alone does not decide. */
function byteLength(text: string): number {
  if (text.length * 3 <= MAX_PAYLOAD_BYTES) return text.length;
  return new TextEncoder().encode(text).length;
}

function check(value: unknown, path: string, what: string, above: Set<object>): void {
  const refuse = (found: string, remedy: string): never => {
    throw new BelfryError(
      "PAYLOAD_UNSERIALIZABLE",
      `Cannot store the ${what}: ${path === "" ? "it" : `its value at ${path}`} is ${found}, which JSON cannot hold; ${remedy}`,
    );
  };
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "undefined":
      if (path.endsWith("]")) refuse("undefined inside an array", "write null");
      return;
    case "number":
      if (!Number.isFinite(value)) refuse(String(value), "write null or a string");
      return;
    case "bigint":
      refuse("a BigInt", "write a string or a number");
      return;
    case "function":
      refuse("a function", "pass data only");
      return;
    case "symbol":
      refuse("a symbol", "pass data only");
      return;
  }
  if (value === null) return;
  const object = value as object;
  if (above.has(object)) refuse("a cycle", "break it, or pass ids");
  above.add(object);
  if (Array.isArray(object)) {
    for (let i = 0; i < object.length; i++) check(object[i], `${path}[${i}]`, what, above);
  } else {
    const prototype = Object.getPrototypeOf(object);
    const plain = prototype === null || Object.getPrototypeOf(prototype) === null;
    if (!plain) {
      const name = (prototype.constructor as { name?: string } | undefined)?.name || "a class";
      refuse(`an instance of ${name}`, name === "Date" ? "write its epoch ms or ISO text" : "pass plain data");
    }
    if ("toJSON" in object && typeof object.toJSON === "function") refuse("an object with toJSON", "pass plain data");
    for (const key of Object.keys(object)) {
      check((object as Record<string, unknown>)[key], path === "" ? key : `${path}.${key}`, what, above);
    }
  }
  above.delete(object);
}
