/**
 * How is an options object checked? Each of its keys must be known and each value must fit; a misspelt key is refused with
 * the nearest known one. TypeScript does the same for literals only; JavaScript, spread objects and parsed JSON come here.
 *
 * A table of checks belongs to each options type. {@link Checks} makes the compiler refuse a table that lacks one of the
 * type's options; `test/belfry/options.test.ts` finds the options types themselves. A check only looks: what an option
 * means is read elsewhere. An option that is `undefined` counts as absent.
 */
import { type Duration, parseDuration } from "./duration.ts";
import { BelfryError, nearest } from "./error.ts";
import { checkName } from "./names.ts";

/**
 * Looks at one value, and throws a `BelfryError` where it does not fit.
 *
 * @param name the option, with the path to it: `retention.finished`
 * @param of what takes it, as users write it: `jobs.list`
 */
export type Check = (value: unknown, name: string, of: string) => void;

/** A check for each option of an options type. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check };

/**
 * Checks an options object.
 *
 * @param of what takes the options, as users write it: `jobs.list`
 * @throws BelfryError `OPTION_INVALID` where it is no object, has an unknown key or a value that does not fit; also
 * `DURATION_INVALID` and `NAME_INVALID` where the option is a duration or a name
 */
export function checkOptions<Options extends object>(options: Options, of: string, checks: Checks<Options>): void {
  checkObject(options, "", of, checks);
}

function checkObject(options: unknown, path: string, of: string, checks: Readonly<Record<string, Check>>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw unfit(options, path === "" ? "the options" : path, of, "an object");
  }
  // Also what is inherited: it would be read, too.
  for (const key in options) {
    const name = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(checks, key)) throw unknownOption(key, name, of, Object.keys(checks));
    const value = (options as Record<string, unknown>)[key];
    if (value !== undefined) checks[key]!(value, name, of);
  }
}

function unknownOption(key: string, name: string, of: string, known: readonly string[]): BelfryError {
  const guess = nearest(key, known);
  const remedy = guess === undefined ? `its options are ${known.join(", ")}` : `did you mean ${guess}?`;
  return new BelfryError("OPTION_INVALID", `Cannot use ${name} of ${of}: there is no such option; ${remedy}`);
}

/** Makes the error of a value that does not fit. @param should what would fit: `a whole number from 1 to 10` */
export function unfit(value: unknown, name: string, of: string, should: string): BelfryError {
  return new BelfryError("OPTION_INVALID", `Cannot use ${name} of ${of}: it is ${show(value)}, but must be ${should}`);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** Takes any value: payloads, and options whose reader checks them. */
export const anything: Check = () => {};

/** Takes `true` and `false`. */
export const flag: Check = (value, name, of) => {
  if (typeof value !== "boolean") throw unfit(value, name, of, "true or false");
};

/** Takes any non-empty text. */
export const text: Check = (value, name, of) => {
  if (typeof value !== "string" || value === "") throw unfit(value, name, of, "a non-empty text");
};

/** Takes a function. */
export const callback: Check = (value, name, of) => {
  if (typeof value !== "function") throw unfit(value, name, of, "a function");
};

/** Takes an `AbortSignal`, of this realm or another. */
export const abortSignal: Check = (value, name, of) => {
  const { aborted, addEventListener } = Object(value) as Partial<AbortSignal>;
  if (typeof aborted !== "boolean" || typeof addEventListener !== "function") {
    throw unfit(value, name, of, "an AbortSignal");
  }
};

/** Takes whole numbers of a range, both ends included. */
export function whole(min: number, max: number): Check {
  return (value, name, of) => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
    const range = max >= Number.MAX_SAFE_INTEGER ? `${write(min)} or more` : `from ${write(min)} to ${write(max)}`;
    throw unfit(value, name, of, `a whole number${range.startsWith("from") ? " " : ", "}${range}`);
  };
}

function write(value: number): string {
  return value.toLocaleString("en-US");
}

/** Takes durations of a range, both ends included; see `parseDuration`. */
export function duration(limits: { minMs?: number; maxMs?: number } = {}): Check {
  return (value, name, of) => void parseDuration(value as Duration, `${name} of ${of}`, limits);
}

/** Takes names. @param what what it names: `queue` */
export function nameOf(what: string): Check {
  return (value) => void checkName(value, what);
}

/** Takes one of some words. */
export function oneOf(words: readonly string[]): Check {
  const should = words.map((word) => `"${word}"`).join(" or ");
  return (value, name, of) => {
    if (!words.includes(value as string)) throw unfit(value, name, of, should);
  };
}

/** Takes lists whose every value fits. @param max the longest list */
export function listOf(check: Check, max: number = Number.MAX_SAFE_INTEGER): Check {
  return (value, name, of) => {
    if (!Array.isArray(value)) throw unfit(value, name, of, "a list");
    if (value.length > max) throw unfit(`${value.length} long`, name, of, `at most ${max} long`);
    for (const [i, item] of value.entries()) check(item, `${name}[${i}]`, of);
  };
}

/** Takes `null` and what another check takes. */
export function orNull(check: Check): Check {
  return (value, name, of) => {
    if (value !== null) check(value, name, of);
  };
}

/** Takes options objects inside of options objects. */
export function optionsOf<Options extends object>(checks: Checks<Options>): Check {
  return (value, name, of) => checkObject(value, name, of, checks);
}

/** Takes objects that have all of some methods: clocks, codecs, loggers. @param should what would fit, with its article */
export function having(methods: readonly string[], should: string): Check {
  return (value, name, of) => {
    const object = Object(value) as Record<string, unknown>;
    const missing = methods.find((method) => typeof object[method] !== "function");
    if (missing !== undefined) throw unfit(value, name, of, `${should}, with the method ${missing}`);
  };
}

/** Takes clocks. */
export const aClock: Check = having(["now", "monotonic", "setTimer", "turn"], "a clock");
