/** Is this the long run? `npm run test:long` sets BELFRY_LONG; not every runtime has a `process`. */
export const LONG: boolean =
  (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.["BELFRY_LONG"] === "1";
