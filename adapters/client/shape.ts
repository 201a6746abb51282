/**
 * Is an answer of the form that was asked for? A few properties with their kinds, enough to tell the app's answer from
 * another server's. Properties that are not named may be there or not: a newer server may say more.
 */

type Bare<T> = [T] extends [string]
  ? "text"
  : [T] extends [number]
    ? "number"
    : [T] extends [boolean]
      ? "flag"
      : [T] extends [readonly unknown[]]
        ? "list"
        : "object";

/** Kind of a value; with a question mark where it may be null. */
type Kind<T> = null extends T ? `${Bare<Exclude<T, null>>}?` : Bare<T>;

type RequiredKeys<T> = { [Key in keyof T]-?: object extends Pick<T, Key> ? never : Key }[keyof T];

/** Properties that an answer must have, with their kinds; the compiler holds them to the answer's type. */
export type Shape<T> = { readonly [Key in RequiredKeys<T>]?: Kind<T[Key]> };

/** Says what does not fit; undefined: all fits. */
export function misfit(body: unknown, shape: Readonly<Record<string, string>>): string | undefined {
  if (kindOf(body) !== "object") return "which is no JSON object";
  for (const [name, kind] of Object.entries(shape)) {
    const value = (body as Record<string, unknown>)[name];
    if (value === null && kind.endsWith("?")) continue;
    if (kindOf(value) !== kind.replace("?", "")) return `whose ${name} is no ${kind.replace("?", "")}`;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "string":
      return "text";
    case "boolean":
      return "flag";
    case "object":
      return value === null ? "null" : "object";
    default:
      return typeof value;
  }
}
