/** Starts a database server of a test's own: sqld or PostgreSQL, addressed as `openStorage` takes it. */
import { startPostgres } from "../../engines/postgres.ts";
import { startSqld } from "../../engines/sqld.ts";

export interface Server {
  /** What `openStorage` takes. */
  readonly spec: string;
  stop(): Promise<void>;
}

/** @param kind `sqld` or `postgres` */
export async function startServer(kind: string): Promise<Server> {
  const server = kind === "sqld" ? await startSqld() : await startPostgres();
  return { spec: `${kind === "sqld" ? "libsql" : "postgres"}:${server.url}`, stop: () => server.dispose() };
}
