/** What does the oracle know of the request that the storage is executing? */

/** The request that the storage is executing. */
export interface CurrentRequest {
  host: string;
  method: string;
  request: unknown;
  /** Schedules that a client was editing through this host when the request was sent. */
  edited: ReadonlySet<string>;
  /** Place in the order in which requests were sent. */
  sent: number;
}
