/**
 * Which tasks does a program know, by name and version?
 *
 * Several versions of one task may be registered side by side: a job keeps the version it began with, a new job gets the
 * newest (the one registered last).
 */
import { BelfryError, nearest } from "../base/error.ts";
import { readDefinition, type TaskDefinition, type TaskHandler, type TaskOptions } from "./definition.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./schema.ts";
import type { Task } from "./task.ts";

/** The tasks of one program. */
export class TaskRegistry {
  /** By name: versions in the order of their registration; the last is the newest. */
  readonly #tasks = new Map<string, TaskDefinition[]>();

  /**
   * Registers a task.
   *
   * @throws BelfryError `TASK_DUPLICATE` a task of this name and version is registered; `NAME_INVALID`,
   * `OPTION_INVALID`, `DURATION_INVALID`
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
   * @returns undefined when this program does not know it
   */
  get(name: string, version?: string): TaskDefinition | undefined {
    const versions = this.#tasks.get(name);
    if (!versions) return undefined;
    return version === undefined ? versions.at(-1) : versions.find((definition) => definition.version === version);
  }

  /** Tells whether any version of the task is known. */
  has(name: string): boolean {
    return this.#tasks.has(name);
  }

  /** Lists the names of all tasks, in the order of their registration. */
  names(): string[] {
    return [...this.#tasks.keys()];
  }

  /** Finds the known name nearest to a misspelt one, for messages. */
  suggestion(name: string): string | undefined {
    return nearest(name, this.#tasks.keys());
  }
}

function versionText(version: string | undefined): string {
  return version === undefined ? "" : ` (version ${version})`;
}
