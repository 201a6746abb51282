/** Opens a shared storage by its address, in a test and in the processes that it starts; `close` also ends the client. */
import { sqlite } from "../../../adapters/sqlite.ts";
import type { Storage } from "../../../src/storage/port.ts";

/** @param spec `sqlite:FILE`, `postgres:URL` or `libsql:URL` */
export async function openStorage(spec: string): Promise<Storage> {
  const kind = spec.slice(0, spec.indexOf(":"));
  const rest = spec.slice(kind.length + 1);
  if (kind === "sqlite") return sqlite(rest);
  if (kind === "libsql") {
    const { createClient } = await import("@libsql/client/web");
    const { libsql } = await import("../../../adapters/libsql.ts");
    return libsql(createClient({ url: rest }));
  }
  if (kind !== "postgres") throw new Error(`No storage is named "${kind}"`);
  const { Pool } = (await import("pg")).default;
  const { postgres } = await import("../../../adapters/postgres.ts");
  const pool = new Pool({ connectionString: rest, max: 6 });
  pool.on("error", () => {});
  const storage = postgres(pool);
  const close = storage.close.bind(storage);
  let closed: Promise<void> | undefined;
  return Object.assign(storage, {
    close: () => {
      closed ??= close().then(() => pool.end());
      return closed;
    },
  });
}
