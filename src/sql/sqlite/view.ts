/**
 * How is a row read by name without being copied? As an array of values behind an object with a getter for each column.
 *
 * node:sqlite makes a hash table of each row that it returns by name. As an array a row is made in two thirds of the
 * time and read in a sixth of it. All rows of a statement share one prototype with the getters.
 */
import type { Row } from "../driver.ts";

/** Makes a function that shows the values of a statement's rows by name; such rows have no properties of their own. */
export function viewOf(names: readonly string[]): (values: readonly unknown[]) => Row {
  class View {
    readonly #values: readonly unknown[];

    constructor(values: readonly unknown[]) {
      this.#values = values;
    }

    static {
      for (const [place, name] of names.entries()) {
        Object.defineProperty(View.prototype, name, {
          get(this: View): unknown {
            return this.#values[place];
          },
        });
      }
    }
  }
  return (values) => new View(values) as unknown as Row;
}
