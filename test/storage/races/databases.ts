/**
 * Which databases do races run on? Each gives several storages over one database, each storage with a connection of its
 * own: SQLite files from five processes, Postgres through a pool of one connection each, sqld through a client each.
 *
 * Every call starts a little later than asked, by a random time (seeded), so that batches overlap in many ways.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client";
import { libsql } from "../../../adapters/libsql.ts";
import { postgres } from "../../../adapters/postgres.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { freshSchema } from "../../engines/databases.ts";
import type { AnswerMessage, CallMessage } from "./caller.ts";

/** Competitors of a race. */
const COMPETITORS = 4;

/** Starters of a migration. */
export const STARTERS = 10;

/** Storages over one database. */
export interface RaceDatabase {
  readonly name: string;
  /** Over one database that is migrated. */
  readonly competitors: readonly Storage[];
  /** Over one empty database without tables. */
  starters(): Promise<{ storages: readonly Storage[]; dispose(): Promise<void> }>;
  dispose(): Promise<void>;
}

let seed = 20_261_122;

/** A random number below 1; seeded, so that a run can be repeated as far as a race can. */
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

/** The delay of a call, ms: mostly almost none, sometimes that of a typical batch. */
function lateUs(batchUs: number): number {
  return random() < 0.4 ? random() * 50 : random() * batchUs;
}

/** A storage whose calls start a little late. */
function late(storage: Storage, batchUs: number): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return async (request: unknown) => {
        const start = performance.now() + lateUs(batchUs) / 1000;
        while (performance.now() < start) await turn();
        return (value as (request: unknown) => unknown).call(target, request);
      };
    },
  });
}

/** A process that makes calls for a test. */
class Process {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly ready: Promise<void>;
  #calls = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("caller.ts", import.meta.url)), {
      execArgv: ["--no-warnings"],
      serialization: "advanced",
    });
    this.ready = new Promise((resolve, reject) => {
      this.#waiting.set(-1, { resolve: () => resolve(), reject });
      this.#child.once("exit", (code) => {
        for (const { reject: fail } of this.#waiting.values()) fail(new Error(`A competitor ended with ${code}`));
      });
    });
    this.#child.on("message", (message) => {
      const { id, value, error } = message as AnswerMessage;
      const waiting = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      if (error) waiting.reject(Object.assign(new Error(error.message), { code: error.code }));
      else waiting.resolve(value);
    });
  }

  /** A storage whose methods are called in the process. */
  storage(path: string, connection: number): Storage {
    return new Proxy({} as Storage, {
      get: (_, name) => {
        if (typeof name !== "string" || name === "then") return undefined;
        return (request: unknown) => {
          const id = this.#calls++;
          const message: CallMessage = { id, path, connection, method: name, request, lateUs: lateUs(300) };
          return new Promise((resolve, reject) => {
            this.#waiting.set(id, { resolve, reject });
            this.#child.send(message);
          });
        };
      },
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** SQLite files, each competitor a process. */
export async function sqliteRaces(): Promise<RaceDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "belfry-race-"));
  const processes = Array.from({ length: 5 }, () => new Process());
  await Promise.all(processes.map((process) => process.ready));
  let files = 0;
  const file = (): string => join(folder, `${files++}.db`);
  const path = file();
  const competitors = processes.slice(0, COMPETITORS).map((process) => process.storage(path, 0));
  await competitors[0]!.migrate({ now: 0 });
  return {
    name: "sqlite",
    competitors,
    async starters() {
      const fresh = file();
      const storages = Array.from({ length: STARTERS }, (_, i) => processes[i % 5]!.storage(fresh, Math.floor(i / 5)));
      return {
        storages,
        async dispose() {
          for (const storage of storages) await storage.close();
          for (const end of ["", "-wal", "-shm"]) rmSync(fresh + end, { force: true });
        },
      };
    },
    async dispose() {
      for (const process of processes) await process.end();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Postgres, a connection for each competitor. @param url address of the server */
export async function postgresRaces(url: string): Promise<RaceDatabase> {
  const schema = await freshSchema(url);
  const pools = Array.from({ length: STARTERS }, () => schema.pool({ max: 1 }));
  const competitors = pools.slice(0, COMPETITORS).map((pool) => late(postgres(pool), 4000));
  await competitors[0]!.migrate({ now: 0 });
  let prefixes = 0;
  return {
    name: "postgres",
    competitors,
    async starters() {
      const prefix = `r${prefixes++}_`;
      const storages = pools.map((pool) => late(postgres(pool, { prefix }), 4000));
      return {
        storages,
        async dispose() {
          for (const storage of storages) await storage.close();
          const { rows } = await pools[0]!.query<{ name: string }>(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() AND starts_with(tablename, $1)",
            [prefix],
          );
          await pools[0]!.query(`DROP TABLE ${rows.map(({ name }) => name).join(", ")}`);
        },
      };
    },
    async dispose() {
      for (const storage of competitors) await storage.close();
      await schema.dispose();
    },
  };
}

/** sqld, a client for each competitor. @param url address of the server */
export async function sqldRaces(url: string): Promise<RaceDatabase> {
  const clients = Array.from({ length: STARTERS }, () => createClient({ url }));
  // The server has one database: each race has a table prefix of its own.
  const run = `r${process.pid}_${Math.floor(performance.now())}_`;
  const open = (prefix: string): Storage[] => clients.map((client) => late(libsql(client, { prefix }), 3000));
  const competitors = open(run).slice(0, COMPETITORS);
  await competitors[0]!.migrate({ now: 0 });
  let prefixes = 0;
  return {
    name: "sqld",
    competitors,
    async starters() {
      const prefix = `${run}${prefixes++}_`;
      const storages = open(prefix);
      return {
        storages,
        async dispose() {
          for (const storage of storages) await storage.close();
          const sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?";
          const { rows } = await clients[0]!.execute({ sql, args: [`${prefix}*`] });
          await clients[0]!.batch(
            rows.map((row) => `DROP TABLE ${String(row["name"])}`),
            "write",
          );
        },
      };
    },
    async dispose() {
      for (const storage of competitors) await storage.close();
      for (const client of clients) client.close();
    },
  };
}
