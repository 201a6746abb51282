/**
 * How does a task check its input? With any validator that implements Standard Schema (https://standardschema.dev, version
 * 1), as valibot, zod, arktype and others do.
 *
 * The interface is written here after its published specification, so there is no dependency, and a validator of any
 * version fits by structure. A schema may change the value (defaults, coercion); then the handler gets the changed value.
 * The input is stored *before* the schema changes it and checked twice: when the job is enqueued, so that the caller gets
 * the error, and when it runs, because the code may have changed in between.
 */
import { BelfryError } from "../base/error.ts";

/** One thing that a validator found wrong. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** The result of a validator: a value, or issues. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

/** A validator that follows Standard Schema v1. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The type of values that a schema accepts. */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"];

/** The type of values that a schema returns. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"];

/**
 * Checks a value against a schema.
 *
 * @param what what the value is, for the error: `input of task "report"`
 * @returns the value as the schema returns it
 * @throws BelfryError `INPUT_INVALID` naming every issue with its path
 */
export async function validate(schema: StandardSchema, value: unknown, what: string): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues.map((issue) => {
    const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  throw new BelfryError("INPUT_INVALID", `Cannot take the ${what}: ${issues.join("; ")}`);
}
