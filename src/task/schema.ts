/**
 * How a task checks its input: any validator that speaks Standard Schema (https://standardschema.dev, version 1), which
 * valibot, zod, arktype and others do.
 *
 * The interface is written out here by its published specification, so there is no dependency and a validator of any
 * version fits by structure. A schema may change the value (defaults, coercion); then the handler gets what the schema
 * put out. What travels is the input *before* the schema, so it is checked at both ends: when it is enqueued, so that
 * the mistake is the sender's, and when it is run, because the code may have changed in between.
 */
import { BelfryError } from "../base/error.ts";

/** One complaint of a validator. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a validator answers: a value, or issues. */
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

/** The type a schema takes. */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"];

/** The type a schema gives. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"];

/**
 * Checks a value against a schema.
 *
 * @param what the value's role, for the error: `input of task "report"`
 * @returns what the schema put out
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
