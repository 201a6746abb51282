/**
 * Cursors: the place in a list where the next page begins, as opaque text that callers send back.
 *
 * A cursor names its list, so one of another list, or one that was made up, is refused. It holds the last row of the page,
 * not a number of rows, so rows that are added or removed between pages shift nothing.
 */
import { Refusal } from "../problem.ts";

/** Writes a cursor after a row. `list` is one character. */
export function writeCursor(list: string, after: string): string {
  const bytes = new TextEncoder().encode(list + after);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/**
 * Reads a cursor.
 *
 * @returns the row to go on after; undefined without a cursor
 * @throws Refusal `REQUEST_INVALID`
 */
export function readCursor(list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.startsWith(list) && text.length > 1) return text.slice(1);
  } catch {
    // Refused below, like any other text that is no cursor of this list.
  }
  throw new Refusal(
    "REQUEST_INVALID",
    "Cannot continue from this cursor: it does not belong to this list; start without one.",
    {
      issues: [{ path: "query.cursor", message: "is not a cursor of this list" }],
    },
  );
}
