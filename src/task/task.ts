/**
 * Tasks: named functions that jobs run, and the registry that finds them.
 *
 * A `Task` is a name with types; wherever one is taken, its bare name will do, so that code can enqueue or schedule what
 * lives in another program. Several versions of one task may be registered side by side: a job keeps the version it
 * began with, new ones get the newest (the one registered last).
 */

import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError, nearest } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import type { Context } from "./context.ts";
import { DEFAULT_RETRY, type Retry, type RetryFunction, type RetryPolicy, readRetry } from "./retry.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./schema.ts";

/** The function that does a task's work. */
export type TaskHandler<Input, Output> = (ctx: Context, input: Input) => Output | Promise<Output>;

/** A rate: at most `count` in any window of `per`. */
export interface Rate {
  count: number;
  per: Duration;
}

/** Options of a task; those that a job brings with it win over them. */
export interface TaskOptions {
  /** Checks inputs when they are enqueued and when they are run, and gives the handler its type. */
  input?: StandardSchema;
  /** When a failed attempt is made again. @default five attempts, see {@link DEFAULT_RETRY} */
  retry?: Retry;
  /** How long one run of the handler may take, from claim to the next wait. @default no limit */
  timeout?: Duration;
  /** Queue of its jobs. @default "default" */
  queue?: string;
  /** How many of its jobs one worker runs at once. @default the worker's own concurrency */
  concurrency?: number;
  /** How many of its jobs start in any window, over all workers. @default no limit */
  rate?: Rate;
  /** Names this version of the code; jobs stay with the version they began with. */
  version?: string | number;
}

/** A named function, as enqueuers see it. */
export interface Task<Input = unknown, Output = unknown> {
  readonly name: string;
  /** Only for the type checker: what goes in and out. */
  readonly types?: { readonly input: (input: Input) => void; readonly output: Output };
}

/** A task, or its name. */
export type TaskReference<Input = never, Output = unknown> = Task<Input, Output> | string;

/** A task as the engine keeps it: checked, in internal units. */
export interface TaskDefinition extends Task<never, unknown> {
  readonly handler: (ctx: Context, input: unknown) => unknown;
  readonly schema: StandardSchema | undefined;
  readonly retry: RetryPolicy | RetryFunction;
  readonly timeoutMs: number | null;
  readonly queue: string;
  /** Infinity where the task has no limit of its own. */
  readonly concurrency: number;
  readonly rate: { count: number; perMs: number } | null;
  readonly version: string | undefined;
}

/** All tasks that this program knows. */
export class TaskRegistry {
  /** By name: versions in the order of their registration; the last is the newest. */
  readonly #tasks = new Map<string, TaskDefinition[]>();

  /**
   * Registers a task.
   *
   * @throws BelfryError `TASK_DUPLICATE` the name (with this version) is taken; `NAME_INVALID`, `OPTION_INVALID`,
   * `DURATION_INVALID`
   */
  define<Schema extends StandardSchema, Output>(
    name: string,
    handler: TaskHandler<SchemaOutput<Schema>, Output>,
    options: TaskOptions & { input: Schema },
  ): Task<SchemaInput<Schema>, Output>;
  define<Input = undefined, Output = unknown>(
    name: string,
    handler: TaskHandler<Input, Output>,
    options?: TaskOptions & { input?: never },
  ): Task<Input, Output>;
  define(name: string, handler: TaskHandler<never, unknown>, options: TaskOptions = {}): Task<never, unknown> {
    const definition = readDefinition(name, handler, options);
    const versions = this.#tasks.get(definition.name) ?? [];
    if (versions.some((other) => other.version === definition.version)) {
      throw new BelfryError(
        "TASK_DUPLICATE",
        `Cannot define task ${JSON.stringify(name)}${versionText(definition.version)} a second time; ` +
          "give it another name, or another version to run both side by side",
      );
    }
    this.#tasks.set(definition.name, [...versions, definition]);
    return definition;
  }

  /**
   * Finds a task.
   *
   * @param version the version a job began with; undefined: the newest
   * @returns undefined where this program does not know it
   */
  get(name: string, version?: string): TaskDefinition | undefined {
    const versions = this.#tasks.get(name);
    if (!versions) return undefined;
    return version === undefined ? versions.at(-1) : versions.find((definition) => definition.version === version);
  }

  /** Whether any version of the task is known. */
  has(name: string): boolean {
    return this.#tasks.has(name);
  }

  /** Names of all tasks, in the order of their registration. */
  names(): string[] {
    return [...this.#tasks.keys()];
  }

  /** The known name nearest to a misspelt one, for messages. */
  suggestion(name: string): string | undefined {
    return nearest(name, this.#tasks.keys());
  }
}

/**
 * The name of a task that is given as such or by name.
 *
 * @throws BelfryError `NAME_INVALID`
 */
export function taskName(task: TaskReference): string {
  return checkName(typeof task === "object" && task !== null ? task.name : task, "task");
}

function versionText(version: string | undefined): string {
  return version === undefined ? "" : ` (version ${version})`;
}

function readDefinition(name: string, handler: TaskHandler<never, unknown>, options: TaskOptions): TaskDefinition {
  checkName(name, "task");
  const what = `task ${JSON.stringify(name)}`;
  const refuse = (option: string, found: unknown, should: string): never => {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot define ${what}: ${option} is ${String(found)}, but must be ${should}`,
    );
  };
  if (typeof handler !== "function") refuse("its handler", typeof handler, "a function");
  const { input, retry, timeout, queue = "default", concurrency = Infinity, rate, version } = options;
  if (input !== undefined && typeof input?.["~standard"]?.validate !== "function") {
    refuse("input", typeof input, "a Standard Schema (valibot, zod, arktype and others make them)");
  }
  if (concurrency !== Infinity && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    refuse("concurrency", concurrency, "a whole number, 1 or more");
  }
  return {
    name,
    handler: handler as TaskDefinition["handler"],
    schema: input,
    retry: retry === undefined ? DEFAULT_RETRY : readRetry(retry, what),
    timeoutMs: timeout === undefined ? null : parseDuration(timeout, `timeout of ${what}`, { minMs: 1 }),
    queue: checkName(queue, "queue"),
    concurrency,
    rate: rate === undefined ? null : readRate(rate, what),
    version: version === undefined ? undefined : checkName(String(version), "version"),
  };
}

/**
 * Checks a rate.
 *
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readRate(rate: Rate, what: string): { count: number; perMs: number } {
  if (!Number.isInteger(rate.count) || rate.count < 1) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use rate of ${what}: count is ${String(rate.count)}, but must be a whole number, 1 or more`,
    );
  }
  return { count: rate.count, perMs: parseDuration(rate.per, `rate.per of ${what}`, { minMs: 1 }) };
}
