/**
 * Which tests may run a second time after a failure? Only those that hold real processes to a bound in real time, which a
 * busy machine can break without any fault of ours. Each such second run is printed in the summary of `npm test`. All
 * other tests fail at their first failure; `test/house/tests.test.ts` holds the list.
 *
 * @example
 * describe("failover", RETRY_ONCE, () => { ... });
 */
export const RETRY_ONCE = { retry: 1 } as const;
