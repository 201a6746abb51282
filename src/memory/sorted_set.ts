/**
 * How does the memory storage keep items in order? In a set that is sorted by a comparison, and cheap at any size.
 *
 * The items are in short sorted chunks, and the chunks in order: finding a place takes two binary searches, inserting
 * and removing move at most the references of one chunk. The place of an item must not change while it is in a set:
 * remove it, change it, add it again. Two items that compare equal are the same item.
 */

/** Negative when `a` comes first, positive when `b` does, 0 when they are the same. */
export type Compare<T> = (a: T, b: T) => number;

/** Past this many items a chunk is halved. */
const MAX_CHUNK = 256;

/** A set in the order of a comparison. */
export class SortedSet<T> {
  readonly #compare: Compare<T>;
  #chunks: T[][] = [];
  #size = 0;

  /** @param compare the order; total, and stable for items in the set */
  constructor(compare: Compare<T>) {
    this.#compare = compare;
  }

  /** How many items are in the set. */
  get size(): number {
    return this.#size;
  }

  /** The first item; undefined when the set is empty. */
  first(): T | undefined {
    return this.#chunks[0]?.[0];
  }

  /** Adds an item; does nothing when it is there. */
  add(item: T): void {
    const chunks = this.#chunks;
    if (chunks.length === 0) {
      chunks.push([item]);
      this.#size = 1;
      return;
    }
    const c = Math.min(this.#chunkOf(item), chunks.length - 1);
    const chunk = chunks[c]!;
    const i = this.#placeIn(chunk, item);
    if (i < chunk.length && this.#compare(chunk[i]!, item) === 0) return;
    chunk.splice(i, 0, item);
    this.#size++;
    if (chunk.length > MAX_CHUNK) chunks.splice(c + 1, 0, chunk.splice(MAX_CHUNK >> 1));
  }

  /** Removes an item. @returns false when it was not there */
  delete(item: T): boolean {
    const c = this.#chunkOf(item);
    const chunk = this.#chunks[c];
    if (!chunk) return false;
    const i = this.#placeIn(chunk, item);
    if (i === chunk.length || this.#compare(chunk[i]!, item) !== 0) return false;
    chunk.splice(i, 1);
    this.#size--;
    if (chunk.length === 0) this.#chunks.splice(c, 1);
    return true;
  }

  /** The item in the set that compares equal to `like`. */
  get(like: T): T | undefined {
    const chunk = this.#chunks[this.#chunkOf(like)];
    if (!chunk) return undefined;
    const found = chunk[this.#placeIn(chunk, like)];
    return found !== undefined && this.#compare(found, like) === 0 ? found : undefined;
  }

  /** Walks in order; the set must not change meanwhile. @param after only items that come after this one */
  *walk(after?: T): Generator<T> {
    let c = after === undefined ? 0 : this.#chunkOf(after);
    let i = 0;
    if (after !== undefined && c < this.#chunks.length) {
      const chunk = this.#chunks[c]!;
      i = this.#placeIn(chunk, after);
      if (i < chunk.length && this.#compare(chunk[i]!, after) === 0) i++;
    }
    for (; c < this.#chunks.length; c++, i = 0) {
      const chunk = this.#chunks[c]!;
      for (; i < chunk.length; i++) yield chunk[i]!;
    }
  }

  /** Walks in reverse; the set must not change meanwhile. @param before only items that come before this one */
  *walkBack(before?: T): Generator<T> {
    let c = this.#chunks.length - 1;
    let i = (this.#chunks[c]?.length ?? 0) - 1;
    if (before !== undefined) {
      const at = this.#chunkOf(before);
      if (at < this.#chunks.length) {
        c = at;
        i = this.#placeIn(this.#chunks[at]!, before) - 1;
      }
    }
    for (; c >= 0; i = (this.#chunks[--c]?.length ?? 0) - 1) {
      const chunk = this.#chunks[c]!;
      for (; i >= 0; i--) yield chunk[i]!;
    }
  }

  [Symbol.iterator](): Generator<T> {
    return this.walk();
  }

  /** Index of the first chunk whose last item is not before `item`; the number of chunks when there is none. */
  #chunkOf(item: T): number {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = chunks[middle]!;
      if (this.#compare(chunk[chunk.length - 1]!, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the first item of the chunk that is not before `item`. */
  #placeIn(chunk: T[], item: T): number {
    let low = 0;
    let high = chunk.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(chunk[middle]!, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Compares texts by their UTF-8 bytes, as databases with a binary collation do. JavaScript's own `<` goes by UTF-16
 * units, which puts U+10000 and above (surrogates, 0xD800..0xDFFF) before U+E000..U+FFFF.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      const xHigh = x >= 0xd800 && x <= 0xdfff;
      const yHigh = y >= 0xd800 && y <= 0xdfff;
      return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
    }
  }
  return a.length - b.length;
}
