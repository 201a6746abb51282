/**
 * Cursors: the place in a list where the next page begins, as text that callers hand back and do not read.
 *
 * A cursor names the list it is of, so one that is used elsewhere, or was made up, is refused instead of giving a page
 * that nobody asked for. It carries no position by number: rows that come or go between pages shift nothing.
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
    // Told below, like any other text that is no cursor of this list.
  }
  throw new Refusal("REQUEST_INVALID", "Cannot go on from this cursor: it is none of this list; start without one.", {
    issues: [{ path: "query.cursor", message: "is no cursor of this list" }],
  });
}
