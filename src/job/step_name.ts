/**
 * How are the records named that the engine makes for `ctx.now()`, `ctx.random()`, `ctx.uuid()` and `ctx.patched()`?
 *
 * They stand in the same history as the user's steps, so their names begin with a space: `checkName` lets no user's name
 * do so, and a step that a user calls `now()` has a record of its own. People are shown the name without it.
 */

const ENGINE_PREFIX = " ";

/** The stored name of a record that the engine names. */
export function engineName(call: string): string {
  return ENGINE_PREFIX + call;
}

/** The name of a stored step as people are shown it. */
export function shownName(name: string): string {
  return name.startsWith(ENGINE_PREFIX) ? name.slice(ENGINE_PREFIX.length) : name;
}
