/**
 * How does the kit say what is wrong? The few assertions that it needs, so that it needs no library.
 *
 * Values are compared by their own enumerable fields; a field that is undefined is as good as absent (some databases
 * leave out what others report), and prototypes do not count (rows of some drivers have none). A failure names the path.
 */

/** Fails unless a condition holds. @throws Error with `what` */
export function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Fails unless two values are equal in depth. @throws Error that names the first path at which they differ */
export function equal<T>(actual: T, expected: T, what: string): void {
  const path = difference(actual, expected, "");
  if (path === null) return;
  throw new Error(
    `${what}: differs at ${path || "the value itself"}\n  is:        ${show(actual)}\n  should be: ${show(expected)}`,
  );
}

/** Fails unless two lists hold the same items, in any order. */
export function sameItems(actual: readonly string[], expected: readonly string[], what: string): void {
  equal([...actual].sort(), [...expected].sort(), what);
}

/** Tells where two values first differ; null when they are equal. */
export function difference(a: unknown, b: unknown, path: string): string | null {
  if (Object.is(a, b)) return null;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return path;
  if (Array.isArray(a) !== Array.isArray(b)) return path;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return `${path}.length`;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = difference((a as Fields)[key], (b as Fields)[key], `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

type Fields = Record<string, unknown>;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 600 ? `${text.slice(0, 600)}... (${text.length} characters)` : text;
}
