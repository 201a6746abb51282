/**
 * The parts that schemas are made of: names, instants, durations, numbers in a query. Each is a valibot schema that also
 * says in JSON Schema what it takes, since a pipe of functions cannot be read back; `openapi.ts` writes that down.
 *
 * They check form and size only. What a name or a zone means is the engine's to say, with its own code and message.
 */
import * as v from "valibot";

/** JSON Schema, as far as it is written here. */
export type JsonSchema = { [key: string]: unknown };

/** Says in JSON Schema what a schema takes. */
export function described<T>(schema: v.GenericSchema<unknown, T>, jsonSchema: JsonSchema): v.GenericSchema<unknown, T> {
  return v.pipe(schema, v.metadata({ jsonSchema })) as v.GenericSchema<unknown, T>;
}

/** Any schema, under the type of what it gives. */
export type Field<T> = v.GenericSchema<unknown, T>;

/** Longest text that names something, a little above the engine's own limit, so that its message is the one that is read. */
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
  return described(pipe, {
    type: "string",
    ...(min > 0 ? { minLength: min } : {}),
    maxLength: max,
  });
}

/** A name of something; the engine says which texts are names. */
export const name: Field<string> = text(MAX_NAME, 1);

/** True or false. */
export const flag: Field<boolean> = v.boolean();

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
  {
    type: "integer",
    description: "epoch milliseconds",
    minimum: -MAX_INSTANT,
    maximum: MAX_INSTANT,
  },
);

/** A duration: text such as `"1h30m"`, or milliseconds. */
export const duration: Field<string | number> = described(
  v.union([v.pipe(v.string(), v.maxLength(40)), v.pipe(v.number(), v.finite())]),
  {
    type: ["string", "number"],
    description: 'a duration: "10m", "1h30m", "500ms", or milliseconds',
    maxLength: 40,
  },
);

/** Anything that JSON can hold. */
export const json: Field<unknown> = described(v.unknown(), {});

/** One of some words. */
export function oneOf<const T extends string>(...words: T[]): Field<T> {
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

/** A property that may be absent. */
export function optional<T>(field: Field<T>): v.ExactOptionalSchema<Field<T>, undefined> {
  return v.exactOptional(field);
}

// ---------------------------------------------------------------- in a query everything is text

/** A whole number, written as text. */
export function wholeText(min: number, max: number): Field<number> {
  const number = v.pipe(
    v.string(),
    v.regex(/^-?\d{1,16}$/, "must be a whole number"),
    v.transform(Number),
    v.minValue(min),
    v.maxValue(max),
  );
  return described(number, { type: "integer", minimum: min, maximum: max });
}

/** An instant, epoch ms, written as text. */
export const instantText: Field<number> = wholeText(-MAX_INSTANT, MAX_INSTANT);

/** A duration, written as text: `"90s"`. */
export const durationText: Field<string> = described(v.pipe(v.string(), v.maxLength(40)), {
  type: "string",
  description: 'a duration: "55s", "1h30m"',
  maxLength: 40,
});

/** True or false, written as text. */
export const flagText: Field<boolean> = described(
  v.pipe(
    v.picklist(["true", "false"]),
    v.transform((word) => word === "true"),
  ),
  { type: "boolean" },
);

/** One value or several of one name. */
export function several<T>(field: Field<T>): Field<T[]> {
  const asList = v.pipe(
    v.unknown(),
    v.transform((found) => (Array.isArray(found) ? (found as unknown[]) : [found])),
  );
  const many = v.pipe(asList, v.array(field), v.maxLength(20));
  return v.pipe(many, v.metadata({ listOf: field })) as Field<T[]>;
}
