/** Gives each call of a run its name: the one it asked for, or, where that is taken, with `#2`, `#3` by order. */
export class Namer {
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** The name for the next call that asks for this one. */
  take(wanted: string): string {
    let count = (this.#counts.get(wanted) ?? 0) + 1;
    let name = count === 1 ? wanted : `${wanted}#${count}`;
    // Somebody may have asked for "a#2" by that very name.
    while (this.#taken.has(name)) name = `${wanted}#${++count}`;
    this.#counts.set(wanted, count);
    this.#taken.add(name);
    return name;
  }
}
