/**
 * How does the port become SQL? Each method builds one batch, sends it, and reads the reply; nothing else lives here.
 *
 * Subjects are in `statements/`. A batch whose answer was lost is sent again under the same op with a new nonce (see
 * `marks.ts`), a few times and ever later; then the error goes to the caller, who may still ask again with the same op.
 */
import { type Clock, delay, systemClock } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import { systemIds } from "../base/id.ts";
import type * as port from "../storage/port.ts";
import type { Dialect } from "./dialect.ts";
import { type BatchMode, type Driver, DriverError, type List, type Query, type Row, type Sql, sent } from "./driver.ts";
import { Marks } from "./marks.ts";
import { migrateSchema } from "./migrate.ts";
import { jobOf, occurrenceOf, queueOf, scheduleOf } from "./rows.ts";
import { cancel, cancelStatements, retry } from "./statements/cancel.ts";
import { type ClaimBatch, claim, claimReply, claimStatements, jobsWithHistory, withClaim } from "./statements/claim.ts";
import { consequenceStatements } from "./statements/consequence.ts";
import { exportPage, importPage } from "./statements/copy.ts";
import { definitionOf, listDefinitions } from "./statements/definitions.ts";
import { enqueue, enqueueArgs, enqueueReply, enqueueStatements, insertsOf } from "./statements/enqueue.ts";
import { fire, fireReply, fireStatements } from "./statements/fire.ts";
import { beginTick, beginTickReply, leaseStatements } from "./statements/lease.ts";
import { lineStatements } from "./statements/line.ts";
import { purge, purgeReply, purgeStatements } from "./statements/purge.ts";
import { putSchedules, putSchedulesReply, scheduleStatements } from "./statements/put.ts";
import { getJob, listJobs, listOccurrences, listSchedules, putQueues, readStatements } from "./statements/read.ts";
import { renew, save, saveReply, saveStatements } from "./statements/save.ts";
import { signal, signalReply, signalStatements } from "./statements/signal.ts";
import { stats, statsReply, statsStatements } from "./statements/stats.ts";
import { Templates } from "./template.ts";
import { Wakes } from "./wakes.ts";

/** What every SQL adapter takes. */
export interface SqlOptions {
  /**
   * What the names of Belfry's tables begin with: letters, digits and underscores.
   * @default "belfry_"
   */
  prefix?: string;
  /** The clock that retries wait by. @default the runtime's */
  clock?: Clock;
}

/** What an adapter tells the core. */
export interface SqlStorageParts {
  driver: Driver;
  dialect: Dialect;
  capabilities: port.StorageCapabilities;
  /** The database, for messages: `the file "app.db"`. */
  where: string;
  /** Whether other programs' writes reach listeners; where they do not, there is no `listen`, and callers poll. @default true */
  pushes?: boolean;
  options: SqlOptions;
}

/** What a batch tells listeners on other connections, where they do not find out by themselves. */
type Announcement = "jobs" | "schedules" | "ends";

/** Sends of a batch whose answer was lost. */
const MAX_SENDS = 4;
const FIRST_PAUSE_MS = 50;

function prepare(t: Templates, driver: Driver) {
  const announce = (wake: port.Wake, where = ""): Sql | null =>
    driver.announce ? t.sql(`${driver.announce(wake)}${where}`) : null;
  return {
    announce: {
      jobs: announce("jobs"),
      schedules: announce("schedules"),
      // The end of a job concerns others only where a parent, a limit or children are tied to it.
      ends: announce(
        "jobs",
        ` WHERE EXISTS (SELECT 1 FROM {jobs} WHERE mark IN (:mark, :cascade) AND tied > 0 AND tied > 1
          AND finished_at IS NOT NULL)`,
      ),
    },
    lines: lineStatements(t),
    lease: leaseStatements(t, driver.announce?.("schedules") ?? null),
    fire: fireStatements(t),
    put: scheduleStatements(t),
    enqueue: enqueueStatements(t),
    consequences: consequenceStatements(t),
    claim: claimStatements(t),
    save: saveStatements(t),
    signal: signalStatements(t),
    cancel: cancelStatements(t),
    read: readStatements(t),
    purge: purgeStatements(t),
    stats: statsStatements(t),
    time: t.dialect.serverTime === null ? null : t.sql(`SELECT ${t.dialect.serverTime} AS time`),
  };
}

/** The port over a driver and a dialect. */
export class SqlStorage implements port.Storage {
  readonly name: string;
  readonly capabilities: port.StorageCapabilities;
  /** The driver: its counters are what benches read. */
  readonly driver: Driver;
  readonly enqueueStatements?: (request: port.EnqueueRequest) => port.Statement[];
  readonly listen?: (onWake: (wake: port.Wake) => void) => Promise<() => Promise<void>>;
  readonly #where: string;
  readonly #t: Templates;
  readonly #s: ReturnType<typeof prepare>;
  readonly #marks = new Marks();
  readonly #clock: Clock;
  readonly #wakes: Wakes;

  constructor(parts: SqlStorageParts) {
    const { driver, dialect, capabilities, where, options } = parts;
    const prefix = options.prefix ?? "belfry_";
    if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,30}$/.test(prefix)) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot use the table prefix ${JSON.stringify(prefix)}: it must be 1 to 31 letters, digits and underscores ` +
          'and not begin with a digit, like "belfry_"',
      );
    }
    this.name = driver.name;
    this.driver = driver;
    this.capabilities = capabilities;
    this.#where = where;
    this.#clock = options.clock ?? systemClock;
    this.#t = new Templates(dialect, dialect.fold(prefix));
    this.#s = prepare(this.#t, driver);
    this.#wakes = new Wakes(driver);
    if (capabilities.statements) this.enqueueStatements = (request) => this.#enqueueStatements(request);
    if (parts.pushes ?? true) this.listen = (onWake) => this.#wakes.listen(onWake);
  }

  async migrate(_request: { now: port.Instant }): Promise<port.MigrateReply> {
    const migrated = await this.#persist(() => migrateSchema(this.driver, this.#t, this.#where));
    return { ...migrated, warnings: (await this.driver.warnings?.()) ?? [] };
  }

  async beginTick(request: port.BeginTickRequest): Promise<port.BeginTickReply> {
    const { s } = this.#parts;
    const { rows, time, queries } = await this.#send(
      () => beginTick(s.lease, request, this.#marks.of("tick")),
      "write",
    );
    const reply = beginTickReply(rows.slice(0, queries.length), request);
    if (reply.leads && request.resignIfIdle && reply.lease === null) this.#wakes.wrote("schedules");
    return { ...reply, ...time };
  }

  async fire(request: port.FireRequest): Promise<port.FireReply> {
    const { s, t } = this.#parts;
    const answer = await this.#send(
      () => fire(s.fire, s.consequences, t, request, this.#marks.of(request.op)),
      "write",
      [
        request.firings.some((firing) => firing.jobs.length > 0) && "jobs",
        (request.resign || request.lease === null) && "schedules",
      ],
    );
    const reply = fireReply(s.fire, request, answer.queries, answer.rows);
    if (reply.jobs.length > 0) this.#wakes.wrote("jobs");
    if (request.resign || (request.lease === null && reply.fired.length > 0)) this.#wakes.wrote("schedules");
    return { ...reply, ...answer.time };
  }

  async resign(request: { holder: string; token: number; now: port.Instant }): Promise<boolean> {
    const { holder, token } = request;
    const query = { sql: this.#s.lease.resign, args: { holder, term: token } };
    const { rows } = await this.#send(() => [query], "write", ["schedules"]);
    const resigned = rows[0]!.length > 0;
    if (resigned) this.#wakes.wrote("schedules");
    return resigned;
  }

  async putSchedules(request: port.PutSchedulesRequest): Promise<port.PutSchedulesReply> {
    const { s, t } = this.#parts;
    const answer = await this.#send(
      () => putSchedules(s.put, s.fire, s.consequences, t, request, this.#marks.of(request.op)),
      "write",
      ["schedules", request.puts.some((put) => put.jobs.length > 0) && "jobs"],
    );
    const reply = putSchedulesReply(s.put, request, answer.queries, answer.rows);
    if (reply.written.length > 0 || reply.removed.length > 0) this.#wakes.wrote("schedules");
    if (request.puts.some((put) => put.jobs.length > 0)) this.#wakes.wrote("jobs");
    return { ...reply, ...answer.time };
  }

  async listSchedules(request: port.ListSchedulesRequest): Promise<port.ScheduleRecord[]> {
    return (await this.#read(listSchedules(this.#t, request))).map(scheduleOf);
  }

  async listDefinitions(request: { owner: string; after?: string; limit: number }): Promise<port.StoredDefinition[]> {
    return (await this.#read(listDefinitions(this.#t, request))).map(definitionOf);
  }

  async listOccurrences(request: port.ListOccurrencesRequest): Promise<port.OccurrenceRecord[]> {
    return (await this.#read(listOccurrences(this.#t, request))).map(occurrenceOf);
  }

  async enqueue(request: port.EnqueueRequest): Promise<port.EnqueueReply> {
    const { s, t } = this.#parts;
    if (request.jobs.length === 0) {
      return request.claim ? { jobs: [], claimed: await this.claim(request.claim) } : { jobs: [] };
    }
    const answer = await this.#sendWith(
      request.claim,
      () => enqueue(s.enqueue, s.consequences, t, request, this.#marks.of(request.op)),
      ["jobs"],
    );
    const reply = enqueueReply(answer.rows.at(-1)!, request);
    if (reply.jobs.some((job) => job.created)) this.#wakes.wrote("jobs");
    return { ...reply, ...answer.claimed, ...answer.time };
  }

  #enqueueStatements(request: port.EnqueueRequest): port.Statement[] {
    if (request.jobs.length === 0) return [];
    const { s, t } = this.#parts;
    const args = enqueueArgs(t, request, this.#marks.of(request.op));
    const wake = s.announce.jobs;
    const sqls = [...insertsOf(s.enqueue, s.consequences, request.jobs), ...(wake ? [wake] : [])];
    return sqls.flatMap((sql: Sql) => {
      const rows = sql.each === null ? [[]] : (args[sql.each] as List).rows;
      return rows.map((row) => ({
        sql: sql.text,
        params: sql.names.map((name) => {
          const slot = sql.slots.indexOf(name);
          const cell = sql.cells[slot] ?? null;
          return cell === null ? sent(args[name]) : row[cell]!;
        }),
      }));
    });
  }

  async claim(request: port.ClaimRequest): Promise<port.ClaimReply> {
    const { batch, read } = this.#claim(request);
    const { rows, queries, time } = await this.#send(() => withClaim([], batch()), "write");
    return { ...read(rows.slice(0, queries.length)), ...time };
  }

  #claim(request: port.ClaimRequest): { batch: () => ClaimBatch; read: (rows: Row[][]) => port.ClaimReply } {
    const { s, t } = this.#parts;
    const asked = { ...request, queues: [...new Set(request.queues)] };
    return {
      batch: () => claim(s.claim, s.consequences, s.lines, t, asked, this.#marks.of(request.token)),
      read: (rows) => claimReply(rows, asked),
    };
  }

  async renew(request: port.RenewRequest): Promise<port.RenewReply> {
    const { rows, time } = await this.#send(() => renew(this.#s.save, this.#t, request), "write");
    return { kept: rows[0]!.map((row) => row["id"] as string), ...time };
  }

  async save(request: port.SaveRequest): Promise<port.SaveReply> {
    const { s, t } = this.#parts;
    const goesOn = request.writes.some(({ transition, children }) => {
      return children.length > 0 || transition?.to === "ready" || transition?.to === "waiting";
    });
    const answer = await this.#sendWith(
      request.claim,
      () => save(s.save, s.enqueue, s.consequences, t, request, this.#marks.of(request.op)),
      [goesOn ? "jobs" : "ends"],
    );
    const reply = saveReply(answer.rows.at(-1)!);
    // An end may have woken a parent or admitted a job; a job that is ready again may be claimed at once.
    if (request.writes.some((write) => write.transition || write.children.length > 0)) this.#wakes.wrote("jobs");
    return { ...reply, ...answer.claimed, ...answer.time };
  }

  async signal(request: port.SignalRequest): Promise<port.SignalReply> {
    const { rows, time, queries } = await this.#send(() => signal(this.#s.signal, this.#t, request), "write", ["jobs"]);
    const reply = signalReply(rows.slice(0, queries.length), request);
    if (reply.outcomes.includes("accepted")) this.#wakes.wrote("jobs");
    return { ...reply, ...time };
  }

  async cancel(request: port.CancelRequest): Promise<string[]> {
    const { s, t } = this.#parts;
    const { rows, queries } = await this.#send(
      () => cancel(s.cancel, s.consequences, t, request, this.#marks.of(request.op)),
      "write",
      ["ends"],
    );
    const ids = rows[queries.length - 1]!.map((row) => row["id"] as string);
    if (ids.length > 0) this.#wakes.wrote("jobs");
    return ids;
  }

  async retry(request: port.RetryRequest): Promise<string[]> {
    const { s, t } = this.#parts;
    const { rows, queries } = await this.#send(
      () => retry(s.cancel, s.consequences, t, request, this.#marks.of(request.op)),
      "write",
      ["jobs"],
    );
    const ids = rows[queries.length - 1]!.map((row) => row["id"] as string);
    if (ids.length > 0) this.#wakes.wrote("jobs");
    return ids;
  }

  async getJob(request: { id: string }): Promise<port.ClaimedJob | null> {
    const { rows } = await this.#send(() => getJob(this.#s.read, request.id), "read");
    return jobsWithHistory(rows[0]!, rows.slice(1, 4))[0] ?? null;
  }

  async listJobs(request: port.ListJobsRequest): Promise<port.JobRecord[]> {
    return (await this.#read(listJobs(this.#t, request))).map(jobOf);
  }

  async putQueues(request: { now: port.Instant; queues: port.QueueRecord[] }): Promise<void> {
    await this.#send(() => putQueues(this.#s.read, this.#t, request.queues), "write", ["jobs"]);
    this.#wakes.wrote("jobs");
  }

  async listQueues(): Promise<port.QueueRecord[]> {
    return (await this.#read({ sql: this.#s.read.queues, args: {} })).map(queueOf);
  }

  async purge(request: port.PurgeRequest): Promise<port.PurgeReply> {
    const marks = this.#marks.of(`purge ${systemIds.token()}`);
    const { rows } = await this.#send(() => purge(this.#s.purge, request, marks), "write");
    return purgeReply(rows);
  }

  async stats(request: { now: port.Instant }): Promise<port.StatsReply> {
    const { rows, time } = await this.#send(() => stats(this.#s.stats, request.now), "read");
    return { ...statsReply(rows), ...time };
  }

  async exportPage(request: { cursor: string | null; limit: number }): Promise<{
    page: port.StoragePage;
    cursor: string | null;
  }> {
    const { query, read } = exportPage(this.#t, request);
    return read(await this.#read(query));
  }

  async importPage(request: { page: port.StoragePage }): Promise<void> {
    const queries = importPage(this.#t, request.page);
    if (queries.length === 0) return;
    await this.#send(() => queries, "write");
    this.#wakes.wrote("any");
  }

  async close(): Promise<void> {
    await this.#wakes.close();
    await this.driver.close();
  }

  get #parts(): { s: ReturnType<typeof prepare>; t: Templates } {
    return { s: this.#s, t: this.#t };
  }

  async #read(query: Query): Promise<Row[]> {
    const { rows } = await this.#send(() => [query], "read");
    return rows[0]!;
  }

  /** Sends a batch with a piggybacked claim, where one is asked for. @returns the rows of the batch without it */
  async #sendWith(
    request: port.ClaimRequest | undefined,
    build: () => Query[],
    wakes: readonly (Announcement | false)[],
  ): Promise<{ rows: Row[][]; claimed?: { claimed: port.ClaimReply }; time: { time?: number } }> {
    if (!request) {
      const { rows, queries, time } = await this.#send(build, "write", wakes);
      return { rows: rows.slice(0, queries.length), time };
    }
    const { batch, read } = this.#claim(request);
    let from = 0;
    let to = 0;
    const { rows, queries, time } = await this.#send(
      () => {
        const own = build();
        const piggyback = batch();
        from = piggyback.locks.length;
        to = from + own.length;
        return withClaim(own, piggyback);
      },
      "write",
      wakes,
      () => from,
    );
    const claimed = read(rows.slice(to, queries.length));
    return { rows: rows.slice(from, to), claimed: { claimed }, time };
  }

  /** Sends a batch, again with new marks while no answer comes; the query for the server's time comes last. */
  async #send(
    build: () => Query[],
    mode: BatchMode,
    wakes: readonly (Announcement | false)[] = [],
    /** The query whose marks the announcements ask by. */
    announcer: () => number = () => 0,
  ): Promise<{ rows: Row[][]; queries: Query[]; time: { time?: number } }> {
    return this.#persist(async () => {
      const queries = build();
      const batch = [...queries];
      for (const wake of wakes) {
        const sql = wake && this.#s.announce[wake];
        if (sql) batch.push({ sql, args: queries[announcer()]!.args });
      }
      if (this.#s.time) batch.push({ sql: this.#s.time, args: {} });
      const rows = await this.driver.batch(batch, mode);
      const time = this.#s.time ? { time: Number(rows.at(-1)![0]!["time"]) } : {};
      return { rows, queries, time };
    });
  }

  /** Does again what got no answer, a few times and ever later. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (let send = 1; ; send++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DriverError) || !error.ambiguous || send === MAX_SENDS) throw error;
        await delay(this.#clock, FIRST_PAUSE_MS * 2 ** (send - 1) * (0.5 + systemIds.random()));
      }
    }
  }
}
