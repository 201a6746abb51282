/**
 * What the bodies of every subject share: durations and pages.
 */

/** A duration: text such as `"1h30m"`, or milliseconds. */
export type WireDuration = string | number;

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  /** Send it as `cursor` for the next page; null: this was the last. */
  next: string | null;
}

/** Which page of a list. */
export interface PageQuery {
  /** How many at most, 1 to 200. @default 50 */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}
