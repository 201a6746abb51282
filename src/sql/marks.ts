/**
 * How does a batch know its own rows? The first statement writes a mark on the rows it wins; the rest follow the mark.
 *
 * A mark is the caller's op, a sign and a nonce that is new each time a batch is sent: `op#nonce` on rows that the batch
 * was asked to write, `op+nonce` on those that followed (cancelled descendants). So the same op sent again is known by
 * its prefix, wins nothing, and draws no consequence a second time, while its answer can still be read by the prefix.
 */
import { systemIds } from "../base/id.ts";
import type { Args } from "./driver.ts";

/** Makes the marks of one storage. */
export class Marks {
  readonly #instance = systemIds.token().slice(0, 8);
  #count = 0;

  /** Parameters of a batch sent now under this op: `mark`, `cascade`, and the ranges of prefixes to read by. */
  of(op: string): Args {
    const nonce = `${this.#instance}${(this.#count++).toString(36)}`;
    return {
      op,
      mark: `${op}#${nonce}`,
      cascade: `${op}+${nonce}`,
      // "#" < "$" < "+" < ",": from..to holds what was asked for, from..allTo also what followed.
      from: `${op}#`,
      to: `${op}$`,
      allTo: `${op},`,
    };
  }
}
