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
 * The last arguments of a call that takes a task's input: it may be left out where the task takes `undefined`, and where
 * the task is given by name or its input is not known.
 */
export type InputArguments<Input, Options> =
  IsOptional<Input> extends true
    ? [input?: NoInfer<Known<Input>>, options?: Options]
    : [input: NoInfer<Input>, options?: Options];

/** Whether an input may be left out. */
export type IsOptional<Input> = [Input] extends [never] ? true : undefined extends Input ? true : false;

/** Any task, where nothing is known of its input. */
export type AnyTask<Input> = unknown extends Input ? TaskReference : never;

/** An input of an unknown type where the task is any task. */
export type Known<Input> = [Input] extends [never] ? unknown : Input;

/**
 * Reads the name of a task that is given as an object or by name.
 *
 * @throws BelfryError `NAME_INVALID`
 */
export function taskName(task: TaskReference): string {
  return checkName(typeof task === "object" && task !== null ? task.name : task, "task");
}
