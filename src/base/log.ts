/**
 * The logger that the engine writes to: four functions that take a message and fields, and ready ones for the console, for
 * lines of JSON and for pino. All of them keep every field, errors with their causes included.
 */

import { type Checks, callback, checkOptions, oneOf } from "./options.ts";

/** Takes what the engine has to say: a sentence, and fields for machines. A logger that throws harms nobody. */
export interface Logger {
  /** Takes what helps to follow a run closely. */
  debug(message: string, fields?: Record<string, unknown>): void;
  /** Takes what an operator may want to know. */
  info(message: string, fields?: Record<string, unknown>): void;
  /** Takes what should not be, and that the engine lives with. */
  warn(message: string, fields?: Record<string, unknown>): void;
  /** Takes what went wrong. */
  error(message: string, fields?: Record<string, unknown>): void;
}

/** How much a logger lets through. */
export type LogLevel = keyof Logger;

/** Levels, from the most talkative to the most quiet. */
const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

/** Drops everything. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Makes a logger from one function.
 *
 * @param write takes a line's level, message and fields
 * @param level the lowest level that is let through. @default "info"
 */
export function loggerOf(
  write: (level: LogLevel, message: string, fields: Record<string, unknown> | undefined) => void,
  level: LogLevel = "info",
): Logger {
  const lowest = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel): Logger[LogLevel] =>
    LOG_LEVELS.indexOf(name) < lowest ? () => {} : (message, fields) => write(name, message, fields);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Options of {@link consoleLogger}. */
export interface ConsoleLoggerOptions {
  /** The lowest level that is let through. @default "info" */
  level?: LogLevel;
}

/** Options of {@link jsonLogger}. */
export interface JsonLoggerOptions extends ConsoleLoggerOptions {
  /** Takes a line without its end. @default prints to standard output */
  write?: (line: string) => void;
  /** Tells the time in epoch ms, for the field `time`. @default lines have no time */
  now?: () => number;
}

const CONSOLE_CHECKS: Checks<ConsoleLoggerOptions> = { level: oneOf(LOG_LEVELS) };
const JSON_CHECKS: Checks<JsonLoggerOptions> = { ...CONSOLE_CHECKS, write: callback, now: callback };

/**
 * Prints to the console, with the fields behind the message. It is the default of `new Belfry`, at level `"info"`.
 *
 * @example
 * ```ts
 * import { consoleLogger } from "belfry";
 *
 * const logger = consoleLogger({ level: "warn" });
 * logger.warn("kept", { job: "j1" });
 * ```
 */
export function consoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  checkOptions(options, "consoleLogger", CONSOLE_CHECKS);
  return loggerOf((level, message, fields) => {
    const text = `belfry: ${oneLine(message)}`;
    if (fields === undefined) console[level](text);
    else console[level](text, fields);
  }, options.level);
}

/**
 * Writes a line of JSON for each message: `level`, `time` (ISO), `message` and the fields beside them.
 */
export function jsonLogger(options: JsonLoggerOptions = {}): Logger {
  checkOptions(options, "jsonLogger", JSON_CHECKS);
  const { write = (line) => console.log(line), now } = options;
  return loggerOf((level, message, fields) => {
    const time = now === undefined ? {} : { time: new Date(now()).toISOString() };
    write(jsonLine({ level, ...time, message, ...fields }));
  }, options.level);
}

/** The slice of a pino logger that is used: fields come first there. */
export interface PinoLike {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Writes to a pino logger, whose own level decides. A field `error` goes as `err`, which pino prints with its stack.
 *
 * @param pino what `pino()` gives, or a child of it
 */
export function pinoLogger(pino: PinoLike): Logger {
  return loggerOf((level, message, fields = {}) => {
    const { error, ...rest } = fields;
    pino[level](error === undefined ? rest : { ...rest, err: error }, message);
  }, "debug");
}

/** Puts a guard around a logger: whatever it throws or rejects with stops here, since nobody is left to tell. */
export function guardedLogger(logger: Logger): Logger {
  return loggerOf((level, message, fields) => {
    try {
      const answer: unknown = logger[level](message, fields);
      if (answer instanceof Promise) answer.catch(() => {});
    } catch {
      // A logger that fails cannot be logged.
    }
  }, "debug");
}

/** Keeps a message on its line: what users name must not look like another line of the log. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (char) => {
    const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    return known ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** JSON of what `JSON.stringify` loses or refuses, too: errors with their causes, BigInt, circles, getters that throw. */
function jsonLine(value: Record<string, unknown>): string {
  const above: unknown[] = [];
  const plain = (part: unknown): unknown => {
    if (typeof part === "bigint" || typeof part === "symbol" || typeof part === "function") return String(part);
    if (typeof part !== "object" || part === null) return part;
    if (above.includes(part) || above.length > 16) return "[...]";
    above.push(part);
    try {
      if (Array.isArray(part)) return part.map(plain);
      if (part instanceof Date) return part.toJSON();
      const found: Record<string, unknown> = {};
      const hidden = part instanceof Error ? ["name", "message", "stack", "cause", "errors"] : [];
      for (const key of [...hidden.filter((key) => key in part), ...Object.keys(part)]) {
        found[key] = plain((part as Record<string, unknown>)[key]);
      }
      return found;
    } catch (error) {
      return `[unreadable: ${error instanceof Error ? error.message : "it throws"}]`;
    } finally {
      above.pop();
    }
  };
  return JSON.stringify(plain(value));
}
