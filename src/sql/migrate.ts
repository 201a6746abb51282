/**
 * How does a database get its tables? The stored version says which migrations are left. Each is one batch that also
 * writes its version under a unique key, so that of many processes that start at once one applies it and the rest see
 * it applied.
 *
 * A database that is up to date costs one read. Tables with our names but without our version row belong to another
 * program: the error names one, and nothing is changed.
 */
import { BelfryError } from "../base/error.ts";
import type { CallOptions } from "../storage/port.ts";
import { type Driver, DriverError, type Query, type Row } from "./driver.ts";
import { MIGRATIONS, SCHEMA_VERSION, TABLES } from "./schema.ts";
import type { Templates } from "./template.ts";

/** How often the version is read again because another process changed it meanwhile. */
const MAX_ROUNDS = 50;

/** What was found and done. */
export interface Migrated {
  from: number;
  to: number;
  /** The server's time, epoch ms; absent where the database has no clock of its own. */
  time?: number;
}

/** Reads the stored version. */
function versionQuery(t: Templates): Query {
  const time = t.dialect.serverTime === null ? "" : `, ${t.dialect.serverTime} AS time`;
  return { sql: t.sql(`SELECT value${time} FROM {meta} WHERE key = 'schema_version'`), args: {} };
}

/** What a migration needs. */
export interface MigrationParts {
  readonly driver: Driver;
  readonly templates: Templates;
  /** The database, for messages: `the file "app.db"`. */
  readonly where: string;
  readonly call: CallOptions | undefined;
}

/**
 * Brings the schema up to date.
 *
 * @throws `SCHEMA_NEWER`, `SCHEMA_INVALID`
 */
export async function migrateSchema(parts: MigrationParts): Promise<Migrated> {
  const { driver, templates: t, where, call } = parts;
  let from: number | undefined;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { version, time } = await readVersion(parts);
    from ??= version;
    if (version > SCHEMA_VERSION) {
      throw new BelfryError(
        "SCHEMA_NEWER",
        `Cannot open ${where}: its schema is of version ${version} and this Belfry knows versions up to ` +
          `${SCHEMA_VERSION}; update Belfry here, or use another database or table prefix`,
      );
    }
    if (round === 0) await driver.prepare?.();
    const next = MIGRATIONS.find((migration) => migration.version === version + 1);
    if (!next) return { from, to: version, ...time };
    const queries = next.templates(t.dialect).map((template) => ({ sql: t.sql(template), args: {} }));
    if (t.dialect.lockSchema) queries.unshift({ sql: t.sql(t.dialect.lockSchema), args: {} });
    // Fails, and with it the whole batch, when another process has written this version.
    queries.push({
      sql: t.sql(
        version === 0
          ? `INSERT INTO {meta} (key, value) VALUES ('schema_version', '1')`
          : `INSERT INTO {meta} (key, value) VALUES ('migrated_${next.version}', '1')`,
      ),
      args: {},
    });
    if (version > 0) {
      queries.push({
        sql: t.sql(`UPDATE {meta} SET value = '${next.version}' WHERE key = 'schema_version'`),
        args: {},
      });
    }
    try {
      await driver.batch(queries, "write", call);
    } catch (error) {
      if (!(error instanceof DriverError) || !(error.conflict || error.ambiguous)) throw error;
    }
  }
  throw new BelfryError("STORAGE_UNAVAILABLE", `Cannot migrate ${where}: others kept changing it; try again`);
}

/** The stored version, 0 where there is none, and the server's time. */
interface Version {
  version: number;
  time: { time?: number };
}

async function readVersion({ driver, templates: t, where, call }: MigrationParts): Promise<Version> {
  const versionOf = (row: Row | undefined): Version => ({
    version: Number(row?.["value"]),
    time: row?.["time"] === undefined ? {} : { time: Number(row["time"]) },
  });
  const invalid = (found: string): BelfryError =>
    new BelfryError(
      "SCHEMA_INVALID",
      `Cannot open ${where}: ${found} that Belfry did not make; choose another prefix with the option "prefix", ` +
        "or another database",
    );
  try {
    const [rows] = await driver.batch([versionQuery(t)], "read", call);
    const found = versionOf(rows?.[0]);
    if (Number.isSafeInteger(found.version) && found.version > 0) return found;
    throw invalid(`it has a table "${t.prefix}meta"`);
  } catch (error) {
    if (!(error instanceof DriverError) || !error.missing) throw error;
  }
  const names = t.dialect.encodeTexts(TABLES.map(({ name }) => t.prefix + name));
  const [existing] = await driver.batch([{ sql: t.sql(t.dialect.existing), args: { names } }], "read", call);
  if (existing!.length === 0) return { version: 0, time: {} };
  // Another process may have made them between the two reads.
  try {
    const [rows] = await driver.batch([versionQuery(t)], "read", call);
    if (rows!.length > 0) return versionOf(rows![0]);
  } catch (error) {
    if (!(error instanceof DriverError) || !error.missing) throw error;
  }
  throw invalid(`it has a table "${existing![0]!["name"] as string}"`);
}
