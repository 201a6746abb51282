/**
 * What does code need to enqueue a task? Its name; the types are for the compiler. So a program can enqueue or schedule a
 * task that is defined in another program by its bare name.
 */
import { checkName } from "../base/names.ts";

/** A named function, as code that enqueues it sees it. */
export interface Task<Input = unknown, Output = unknown> {
  readonly name: string;
  /** Only for the type checker: what goes in and out. */
  readonly types?: { readonly input: (input: Input) => void; readonly output: Output };
}

/** A task, or its name. */
export type TaskReference<Input = never, Output = unknown> = Task<Input, Output> | string;

/**
 * Reads the name of a task that is given as an object or by name.
 *
 * @throws BelfryError `NAME_INVALID`
 */
export function taskName(task: TaskReference): string {
  return checkName(typeof task === "object" && task !== null ? task.name : task, "task");
}
