/** The logger that the engine writes to: the slice of `console` it uses, so that `console`, pino and others fit. */
export interface Logger {
  /** Takes what helps to follow a run closely. */
  debug(message: string, details?: Record<string, unknown>): void;
  /** Takes what an operator may want to know. */
  info(message: string, details?: Record<string, unknown>): void;
  /** Takes what should not be, and that the engine lives with. */
  warn(message: string, details?: Record<string, unknown>): void;
  /** Takes what went wrong. */
  error(message: string, details?: Record<string, unknown>): void;
}

/** Drops everything. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Prints warnings and errors to the console and drops the rest: the default, so that nothing goes wrong unseen. */
export const defaultLogger: Logger = {
  debug() {},
  info() {},
  warn: (message, details) => print(console.warn, message, details),
  error: (message, details) => print(console.error, message, details),
};

function print(write: (...values: unknown[]) => void, message: string, details: Record<string, unknown> | undefined) {
  if (details === undefined) write(`belfry: ${message}`);
  else write(`belfry: ${message}`, details);
}
