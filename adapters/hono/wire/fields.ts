/**
 * The parts that schemas are made of: names, instants, durations, numbers in a query. Each is a valibot schema that also
 * carries the JSON Schema of what it takes, since checks made of functions cannot be read back.
 *
 * The schemas of this folder are the one source of the HTTP interface: requests are checked by them, `openapi.json` is
 * written from them (`json_schema.ts`), and the TypeScript types in `types/` are generated from them (`scripts/wire.ts`).
 * They check form and size only; what a name or a zone means is checked by the engine, with its own code and message.
 */
import * as v from "valibot";

/** JSON Schema, as far as it is written here. */
export type JsonSchema = { [key: string]: unknown };

/** What is noted on a schema for `json_schema.ts`. */
export interface FieldNotes {
  /** The name under which `openapi.json` and the types list it. */
  name?: string;
  /** What is called so, for people. */
  about?: string;
  /** What it means in the place where it stands, for people. */
  description?: string;
  /** The JSON Schema of what it takes, in place of what its parts would give. */
  jsonSchema?: JsonSchema;
  /** The schema of the items, where one value may stand for a list. */
  listOf?: v.GenericSchema;
}

/** Any schema, under the type of what it gives. */
export type Field<T> = v.GenericSchema<unknown, T>;

function note<T>(field: Field<T>, notes: FieldNotes): Field<T> {
  return v.pipe(field, v.metadata({ ...notes })) as Field<T>;
}

/** Gives a schema the JSON Schema of what it takes. */
function described<T>(field: Field<T>, jsonSchema: JsonSchema): Field<T> {
  return note(field, { jsonSchema });
}

/** Says what a property means. @param description a sentence for people; it stands in `openapi.json` and in the types */
export function doc<T>(field: Field<T>, description: string): Field<T> {
  return note(field, { description });
}

/** Gives a schema a name: a component of `openapi.json` and an exported type. */
export function named<T>(name: string, about: string, field: Field<T>): Field<T> {
  return note(field, { name, about });
}

/** Longest text that names something, a little above the engine's own limit, so that callers read its message. */
const MAX_NAME = 300;
const MAX_TEXT = 10_000;

/** No storage can hold these, or not each: NUL, and halves of surrogate pairs. */
const STORABLE = /^[^\0\p{Cs}]*$/u;

/** Text of at most so many characters. */
export function text(max: number = MAX_TEXT, min = 0): Field<string> {
  const pipe = v.pipe(
    v.string(),
    v.minLength(min),
    v.maxLength(max),
    v.regex(STORABLE, "has a NUL or half a surrogate pair"),
  );
  return described(pipe, { type: "string", ...(min > 0 ? { minLength: min } : {}), maxLength: max });
}

/** A name of something; the engine says which texts are names. */
export const name: Field<string> = text(MAX_NAME, 1);

/** Text of an answer: not checked. */
export const word: Field<string> = v.string();

/** True or false. */
export const flag: Field<boolean> = v.boolean();

/** A number. */
export const number: Field<number> = v.number();

/** A whole number. */
export function whole(min: number = -Number.MAX_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  return described(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), {
    type: "integer",
    ...(min === -Number.MAX_SAFE_INTEGER ? {} : { minimum: min }),
    ...(max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }),
  });
}

/** A count. */
export const count: Field<number> = whole(0);

/** The farthest instants that a date can show. */
const MAX_INSTANT = 8_640_000_000_000_000;

/** An instant, epoch ms. */
export const instant: Field<number> = described(
  v.pipe(v.number(), v.integer(), v.minValue(-MAX_INSTANT), v.maxValue(MAX_INSTANT)),
  { type: "integer", description: "Epoch ms.", minimum: -MAX_INSTANT, maximum: MAX_INSTANT },
);

/** A duration: text such as `"1h30m"`, or milliseconds. */
export const duration: Field<string | number> = described(
  v.union([v.pipe(v.string(), v.maxLength(40)), v.pipe(v.number(), v.finite())]),
  { type: ["string", "number"], description: 'A duration: "10m", "1h30m", "500ms", or ms.', maxLength: 40 },
);

/** Anything that JSON can hold. */
export const json: Field<unknown> = described(v.unknown(), {});

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): Field<T> {
  return v.picklist(words);
}

/** A value that may be null. */
export function nullable<T>(field: Field<T>): Field<T | null> {
  return v.nullable(field);
}

/** A list of at most so many. */
export function list<T>(field: Field<T>, max = 1_000): Field<T[]> {
  return v.pipe(v.array(field), v.maxLength(max));
}

/** A list of an answer: of any length. */
export function all<T>(field: Field<T>): Field<T[]> {
  return v.array(field);
}

/** A property that may be absent. */
export type OptionalField<T> = v.ExactOptionalSchema<Field<T>, undefined>;

/** Makes a property that may be absent. @param description as for {@link doc} */
export function optional<T>(field: Field<T>, description?: string): OptionalField<T> {
  return v.exactOptional(description === undefined ? field : doc(field, description));
}

/** Instants and texts of answers that may be null. */
export const maybeInstant: Field<number | null> = nullable(instant);
export const maybeWord: Field<string | null> = nullable(word);

// ---------------------------------------------------------------- in a query everything is text

/** A whole number, written as text. */
export function wholeText(min: number, max: number): Field<number> {
  const parsed = v.pipe(
    v.string(),
    v.regex(/^-?\d{1,16}$/, "must be a whole number"),
    v.transform(Number),
    v.minValue(min),
    v.maxValue(max),
  );
  return described(parsed, { type: "integer", minimum: min, maximum: max });
}

/** A date, written as text: epoch ms or what the library takes as text. */
export const whenText: Field<number | string> = described(
  v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(100),
    v.transform((written) => (/^-?\d{1,16}$/.test(written) ? Number(written) : written)),
  ),
  {
    type: ["integer", "string"],
    description:
      "Epoch ms, or ISO text: without offset it is local time of the schedule's zone, a day is the whole day.",
  },
);

/** A duration, written as text: `"90s"`. */
export const durationText: Field<string> = described(v.pipe(v.string(), v.maxLength(40)), {
  type: "string",
  description: 'A duration: "55s", "1h30m".',
  maxLength: 40,
});

/** True or false, written as text. */
export const flagText: Field<boolean> = described(
  v.pipe(
    v.picklist(["true", "false"]),
    v.transform((written) => written === "true"),
  ),
  { type: "boolean" },
);

/** One value or several of one name. */
export function several<T>(field: Field<T>): Field<T[]> {
  const asList = v.pipe(
    v.unknown(),
    v.transform((found) => (Array.isArray(found) ? (found as unknown[]) : [found])),
  );
  return note(v.pipe(asList, v.array(field), v.maxLength(20)), { listOf: field });
}
