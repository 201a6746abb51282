/**
 * A task as enqueuers see it: a name with types. Wherever one is taken, its bare name will do, so that code can enqueue or
 * schedule a task that is defined in another program.
 */
import { checkName } from "../base/names.ts";

/** A named function, as enqueuers see it. */
export interface Task<Input = unknown, Output = unknown> {
  readonly name: string;
  /** Only for the type checker: what goes in and out. */
  readonly types?: { readonly input: (input: Input) => void; readonly output: Output };
}

/** A task, or its name. */
export type TaskReference<Input = never, Output = unknown> = Task<Input, Output> | string;

/**
 * The name of a task that is given as such or by name.
 *
 * @throws BelfryError `NAME_INVALID`
 */
export function taskName(task: TaskReference): string {
  return checkName(typeof task === "object" && task !== null ? task.name : task, "task");
}
