/**
 * How does the kit run on libSQL clients of one kind? On tables with a prefix of their own, which are emptied between
 * cases.
 */
import type { Client } from "@libsql/client";
import { afterAll, test } from "vitest";
import { libsql } from "../../adapters/libsql.ts";
import { sqliteDialect } from "../../src/sql/dialect.ts";
import type { Statement } from "../../src/storage/port.ts";
import { storageConformance } from "../../src/testing/conformance/mod.ts";
import { emptying, Reused } from "../storage/reused_tables.ts";

let made = 0;

/** Cases on one server have table prefixes of their own. */
export function freshPrefix(): string {
  return `t${process.pid}_${made++}_`;
}

/** Tables of one prefix, and the clients that reach them. */
interface Tables {
  prefix: string;
  clients: Client[];
}

/** Properties of the clients. */
export interface LibsqlKitOptions {
  /** The database is a server. @default true */
  serverClock?: boolean;
  /** They are embedded replicas. @default false */
  replica?: boolean;
  /** Makes a client that empties the tables. @default the first client of the tables */
  direct?: () => Client;
}

/** Runs the kit on clients of one kind. */
export function libsqlKit(
  name: string,
  connect: () => Client,
  { serverClock = true, replica = false, direct }: LibsqlKitOptions = {},
): void {
  let cleaner: Client | undefined;
  const reused = new Reused<Tables>({
    make: () => ({ prefix: freshPrefix(), clients: [connect()] }),
    empty: async ({ prefix, clients }) => {
      if (direct) cleaner ??= direct();
      await (cleaner ?? clients[0]!).batch(emptying(prefix, sqliteDialect), "write");
    },
  });
  afterAll(async () => {
    await reused.end(({ clients }) => {
      for (const client of clients) client.close();
    });
    cleaner?.close();
  });
  storageConformance({
    name: `libsql ${name}`,
    // A replica that a case opens late first replays what its primary has written.
    test: (title, run) => test(title, { timeout: 120_000 }, run),
    skip: test.skip,
    manifest: { reopen: true, listen: false, statements: true, durable: true, serverClock },
    open: async () => {
      const tables = await reused.take();
      const { prefix, clients } = tables;
      let opened = 1;
      return {
        storage: libsql(clients[0]!, { replica, prefix }),
        clients,
        reopen: async () => {
          clients[opened] ??= connect();
          const storage = libsql(clients[opened++]!, { replica, prefix });
          await storage.migrate({ now: 0 });
          return storage;
        },
        dispose: () => reused.give(tables),
      };
    },
    runStatements: async (target, statements) => {
      const { clients } = target as unknown as { clients: Client[] };
      await clients[0]!.batch(
        statements.map(({ sql, params }: Statement) => ({ sql, args: params })),
        "write",
      );
    },
  });
}
