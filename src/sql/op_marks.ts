/**
 * How does a batch know the rows that it won? By the op mark that its first statement writes on them (tricks 1 and 2 of
 * docs/sql.md).
 *
 * The mark of an op is `op#nonce` on rows that the batch was asked to write and `op+nonce` on rows that followed
 * (cancelled descendants), with a new nonce each time the batch is sent.
 */
import { systemIds } from "../base/id.ts";
import type { Args } from "./driver.ts";

/** Makes the op marks of one storage. */
export class OpMarks {
  readonly #instance = systemIds.token().slice(0, 8);
  #count = 0;

  /** Parameters of a batch that is sent now under an op: its marks (`mark`, `cascade`), and the ranges of their prefixes. */
  of(op: string): Args {
    const nonce = `${this.#instance}${(this.#count++).toString(36)}`;
    return {
      op,
      mark: `${op}#${nonce}`,
      cascade: `${op}+${nonce}`,
      // "#" < "$" < "+" < ",": from `from` to `to` are rows that were asked for, from `from` to `allTo` also those that
      // followed.
      from: `${op}#`,
      to: `${op}$`,
      allTo: `${op},`,
    };
  }
}
