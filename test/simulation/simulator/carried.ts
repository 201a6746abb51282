/** The request that a simulated host has just sent, as the oracle sees it. */

/** The request that is being carried out. */
export interface Carried {
  host: string;
  method: string;
  request: unknown;
  /** Schedules that a client was editing through this host when the request was sent. */
  edited: ReadonlySet<string>;
  /** Place in the order in which requests were sent. */
  sent: number;
}
