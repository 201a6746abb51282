/**
 * Which names have the records of `ctx.now()`, `ctx.random()`, `ctx.uuid()` and `ctx.patched()`?
 *
 * They stand in the same history as the user's steps, so their names begin with a space, which `checkName` refuses in users'
 * names. So a step that a user names `now()` has a record of its own. Views show the names without the space.
 */

const ENGINE_PREFIX = " ";

/** Makes the stored name of a record that the engine names. */
export function engineName(call: string): string {
  return ENGINE_PREFIX + call;
}

/** Makes the name of a stored step as views show it. */
export function shownName(name: string): string {
  return name.startsWith(ENGINE_PREFIX) ? name.slice(ENGINE_PREFIX.length) : name;
}
