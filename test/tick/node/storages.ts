/** Opens a shared storage by a word, in the test and in the processes that it starts. */
import type { Storage } from "../../../src/storage/port.ts";

/** @param spec `sqlite:FILE`, `libsql:URL` or `postgres:URL` */
export async function openStorage(spec: string): Promise<Storage> {
  const kind = spec.slice(0, spec.indexOf(":"));
  const rest = spec.slice(kind.length + 1);
  switch (kind) {
    case "sqlite":
      return (await import("../../../adapters/sqlite.ts")).sqlite(rest);
    case "libsql": {
      const { createClient } = await import("@libsql/client");
      return (await import("../../../adapters/libsql.ts")).libsql(createClient({ url: rest }));
    }
    case "postgres": {
      const { Pool } = (await import("pg")).default;
      const pool = new Pool({ connectionString: rest, max: 4 });
      // Without a listener the end of the server would end the process.
      pool.on("error", () => {});
      const storage = (await import("../../../adapters/postgres.ts")).postgres(pool);
      const close = storage.close.bind(storage);
      storage.close = async () => {
        await close();
        await pool.end();
      };
      return storage;
    }
    default:
      throw new Error(`No storage is named "${kind}"`);
  }
}
