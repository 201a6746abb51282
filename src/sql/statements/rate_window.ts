/**
 * How is a rate kept? Starts are counted in rows of `starts` by scope, instant and op; of a window that slides, a rate
 * allows `rate_count` in any `rate_per_ms`.
 */

/** Expressions about a row that has `rate_count` and `rate_per_ms`. */
export interface RateWindow {
  /** How many starts are in the window that ends now. */
  readonly used: string;
  /** When the next start is allowed: as the `rate_count`-th most recent one leaves the window; null: at once. */
  readonly freeAt: string;
}

/**
 * Writes the expressions for a row.
 *
 * @param row alias of the row's table
 * @param scope expression of the scope under which its starts are counted
 */
export function rateWindow(row: string, scope: string): RateWindow {
  const counted = `s.scope = ${scope} AND s.at > :now - ${row}.rate_per_ms`;
  return {
    used: `(SELECT COALESCE(sum(s.count), 0) FROM {starts} AS s WHERE ${counted})`,
    freeAt: `(SELECT w.at + ${row}.rate_per_ms FROM
      (SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running FROM {starts} AS s WHERE ${counted}) AS w
      WHERE w.running >= ${row}.rate_count ORDER BY w.at DESC LIMIT 1)`,
  };
}
