/**
 * What is a durable call's name in the history? The one the code gave, or, where an earlier call of this run has it, that
 * name with `#2`, `#3` by order.
 */
export class CallNames {
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();

  /** Takes the name for the next call that was given this one. */
  take(given: string): string {
    let count = (this.#counts.get(given) ?? 0) + 1;
    let name = count === 1 ? given : `${given}#${count}`;
    // The code may have given "a#2" itself.
    while (this.#taken.has(name)) name = `${given}#${++count}`;
    this.#counts.set(given, count);
    this.#taken.add(name);
    return name;
  }
}
