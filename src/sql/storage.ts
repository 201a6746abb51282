/**
 * How does the port become SQL? Each method builds one operation, sends it, and tells listeners what was written.
 *
 * The SQL of each subject is in `statements/`, sending until there is an answer in `sender.ts`.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import { systemIds } from "../base/id.ts";
import { aClock, type Checks, text } from "../base/options.ts";
import type * as port from "../storage/port.ts";
import type { Operation } from "./batch.ts";
import type { Dialect } from "./dialect.ts";
import { type Driver, statementsOf } from "./driver.ts";
import { Listeners } from "./listeners.ts";
import { migrateSchema } from "./migrate.ts";
import { OpMarks } from "./op_marks.ts";
import { type Answer, Sender } from "./sender.ts";
import { cancel, retry } from "./statements/cancel.ts";
import { type ClaimOperation, claim, withClaim } from "./statements/claim.ts";
import { exportPage, importPage } from "./statements/copy.ts";
import { enqueue, enqueueArgs, insertsOf } from "./statements/enqueue.ts";
import { fire } from "./statements/fire.ts";
import { beginTick, resign } from "./statements/lease.ts";
import { prepare, type Statements } from "./statements/prepared.ts";
import { purge } from "./statements/purge.ts";
import { putSchedules } from "./statements/put.ts";
import {
  getJob,
  listDefinitions,
  listJobs,
  listOccurrences,
  listQueues,
  listSchedules,
  putQueues,
} from "./statements/read.ts";
import { renew, save } from "./statements/save.ts";
import { signal } from "./statements/signal.ts";
import { stats } from "./statements/stats.ts";
import { Templates } from "./template.ts";

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

/** Checks of {@link SqlOptions}; the storage itself checks which prefixes make names of tables. */
export const SQL_CHECKS: Checks<SqlOptions> = { prefix: text, clock: aClock };

/** What an adapter tells the core. */
export interface SqlStorageParts {
  driver: Driver;
  dialect: Dialect;
  capabilities: port.StorageCapabilities;
  /** The database, for messages: `the file "app.db"`. */
  where: string;
  /**
   * Whether other programs' writes reach listeners; where they do not, there is no `listen`, and callers poll.
   *
   * @default true
   */
  pushes?: boolean;
  options: SqlOptions;
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
  readonly #s: Statements;
  readonly #sender: Sender;
  readonly #marks = new OpMarks();
  readonly #listeners: Listeners;

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
    this.#t = new Templates(dialect, dialect.fold(prefix));
    this.#s = prepare(this.#t, driver.notification?.("schedules") ?? null);
    this.#sender = new Sender({ driver, clock: options.clock ?? systemClock, templates: this.#t });
    this.#listeners = new Listeners(driver);
    if (capabilities.statements) this.enqueueStatements = (request) => this.#enqueueStatements(request);
    if (parts.pushes ?? true) this.listen = (onWake) => this.#listeners.listen(onWake);
  }

  async migrate(_request: { now: port.Instant }, call?: port.CallOptions): Promise<port.MigrateReply> {
    const parts = { driver: this.driver, templates: this.#t, where: this.#where, call };
    const migrated = await this.#sender.persist(() => migrateSchema(parts), call);
    return { ...migrated, warnings: (await this.driver.warnings?.()) ?? [] };
  }

  async beginTick(request: port.BeginTickRequest, call?: port.CallOptions): Promise<port.BeginTickReply> {
    const build = () => beginTick(this.#s.lease, request, this.#marks.of("tick"));
    const reply = timed(await this.#sender.write(build, call));
    if (reply.leads && request.resignIfIdle && reply.lease === null) this.#listeners.notify("schedules");
    return reply;
  }

  async fire(request: port.FireRequest, call?: port.CallOptions): Promise<port.FireReply> {
    const { firings, lease } = request;
    const build = () => fire(this.#s.fire, request, this.#marks.of(request.op));
    const jobs = firings.some((firing) => firing.jobs.length > 0);
    const schedules = request.resign || lease === null;
    const reply = timed(await this.#sender.write(build, call, [jobs && "jobs", schedules && "schedules"]));
    if (reply.jobs.length > 0) this.#listeners.notify("jobs");
    if (request.resign || (lease === null && reply.fired.length > 0)) this.#listeners.notify("schedules");
    return reply;
  }

  async resign(
    request: { holder: string; token: number; now: port.Instant },
    call?: port.CallOptions,
  ): Promise<boolean> {
    const { reply: resigned } = await this.#sender.write(() => resign(this.#s.lease, request), call, ["schedules"]);
    if (resigned) this.#listeners.notify("schedules");
    return resigned;
  }

  async putSchedules(request: port.PutSchedulesRequest, call?: port.CallOptions): Promise<port.PutSchedulesReply> {
    const build = () => putSchedules(this.#s.put, request, this.#marks.of(request.op));
    const jobs = request.puts.some((put) => put.jobs.length > 0);
    const reply = timed(await this.#sender.write(build, call, ["schedules", jobs && "jobs"]));
    if (reply.written.length > 0 || reply.removed.length > 0) this.#listeners.notify("schedules");
    if (jobs) this.#listeners.notify("jobs");
    return reply;
  }

  listSchedules(request: port.ListSchedulesRequest, call?: port.CallOptions): Promise<port.ScheduleRecord[]> {
    return this.#read(() => listSchedules(this.#t, request), call);
  }

  listDefinitions(
    request: { owner: string; after?: string; limit: number },
    call?: port.CallOptions,
  ): Promise<port.StoredDefinition[]> {
    return this.#read(() => listDefinitions(this.#t, request), call);
  }

  listOccurrences(request: port.ListOccurrencesRequest, call?: port.CallOptions): Promise<port.OccurrenceRecord[]> {
    return this.#read(() => listOccurrences(this.#t, request), call);
  }

  async enqueue(request: port.EnqueueRequest, call?: port.CallOptions): Promise<port.EnqueueReply> {
    if (request.jobs.length === 0) {
      return request.claim ? { jobs: [], claimed: await this.claim(request.claim, call) } : { jobs: [] };
    }
    const build = () =>
      withClaim(enqueue(this.#s.enqueue, request, this.#marks.of(request.op)), this.#claim(request.claim));
    const reply = timed(await this.#sender.write(build, call, ["jobs"]));
    if (reply.jobs.some((job) => job.created)) this.#listeners.notify("jobs");
    return reply;
  }

  #enqueueStatements(request: port.EnqueueRequest): port.Statement[] {
    if (request.jobs.length === 0) return [];
    const { enqueue } = this.#s;
    const args = enqueueArgs(enqueue, request, this.#marks.of(request.op));
    const notice = this.#sender.notice("jobs");
    const sqls = [...insertsOf(enqueue, request.jobs), ...(notice ? [notice] : [])];
    return sqls.flatMap((sql) => statementsOf({ sql, args }));
  }

  async claim(request: port.ClaimRequest, call?: port.CallOptions): Promise<port.ClaimReply> {
    return timed(await this.#sender.write(() => this.#claim(request), call));
  }

  #claim(request: port.ClaimRequest): ClaimOperation;
  #claim(request: port.ClaimRequest | undefined): ClaimOperation | null;
  #claim(request: port.ClaimRequest | undefined): ClaimOperation | null {
    return request ? claim(this.#s.claim, request, this.#marks.of(request.token)) : null;
  }

  async renew(request: port.RenewRequest, call?: port.CallOptions): Promise<port.RenewReply> {
    return timed(await this.#sender.write(() => renew(this.#s.save, request), call));
  }

  async save(request: port.SaveRequest, call?: port.CallOptions): Promise<port.SaveReply> {
    const { writes } = request;
    const goesOn = writes.some(({ transition, children }) => {
      return children.length > 0 || transition?.to === "ready" || transition?.to === "waiting";
    });
    const build = () => withClaim(save(this.#s.save, request, this.#marks.of(request.op)), this.#claim(request.claim));
    const reply = timed(await this.#sender.write(build, call, [goesOn ? "jobs" : "ends"]));
    // The end of a job may have made its parent ready or admitted a held job; a job that is ready again can be claimed.
    if (writes.some((write) => write.transition || write.children.length > 0)) this.#listeners.notify("jobs");
    return reply;
  }

  async signal(request: port.SignalRequest, call?: port.CallOptions): Promise<port.SignalReply> {
    const reply = timed(await this.#sender.write(() => signal(this.#s.signal, request), call, ["jobs"]));
    if (reply.outcomes.includes("accepted")) this.#listeners.notify("jobs");
    return reply;
  }

  async cancel(request: port.CancelRequest, call?: port.CallOptions): Promise<string[]> {
    const build = () => cancel(this.#s.cancel, request, this.#marks.of(request.op));
    const { reply: ids } = await this.#sender.write(build, call, ["ends"]);
    if (ids.length > 0) this.#listeners.notify("jobs");
    return ids;
  }

  async retry(request: port.RetryRequest, call?: port.CallOptions): Promise<string[]> {
    const build = () => retry(this.#s.cancel, request, this.#marks.of(request.op));
    const { reply: ids } = await this.#sender.write(build, call, ["jobs"]);
    if (ids.length > 0) this.#listeners.notify("jobs");
    return ids;
  }

  getJob(request: { id: string }, call?: port.CallOptions): Promise<port.ClaimedJob | null> {
    return this.#read(() => getJob(this.#s.read, request.id), call);
  }

  listJobs(request: port.ListJobsRequest, call?: port.CallOptions): Promise<port.JobRecord[]> {
    return this.#read(() => listJobs(this.#t, request), call);
  }

  async putQueues(request: { now: port.Instant; queues: port.QueueChange[] }, call?: port.CallOptions): Promise<void> {
    await this.#sender.write(() => putQueues(this.#s.read, request.queues), call, ["jobs"]);
    this.#listeners.notify("jobs");
  }

  listQueues(_request?: undefined, call?: port.CallOptions): Promise<port.QueueRecord[]> {
    return this.#read(() => listQueues(this.#s.read), call);
  }

  async purge(request: port.PurgeRequest, call?: port.CallOptions): Promise<port.PurgeReply> {
    const marks = this.#marks.of(`purge ${systemIds.token()}`);
    return (await this.#sender.write(() => purge(this.#s.purge, request, marks), call)).reply;
  }

  async stats(request: { now: port.Instant }, call?: port.CallOptions): Promise<port.StatsReply> {
    return timed(await this.#sender.read(() => stats(this.#s.stats, request.now), call));
  }

  exportPage(
    request: { cursor: string | null; limit: number },
    call?: port.CallOptions,
  ): Promise<{ page: port.StoragePage; cursor: string | null }> {
    return this.#read(() => exportPage(this.#t, request), call);
  }

  async importPage(request: { page: port.StoragePage }, call?: port.CallOptions): Promise<void> {
    const operation = importPage(this.#t, request.page);
    if (!operation) return;
    await this.#sender.write(() => operation, call);
    this.#listeners.notify("any");
  }

  async close(): Promise<void> {
    await this.#listeners.close();
    await this.driver.close();
  }

  async #read<Reply>(build: () => Operation<Reply>, call: port.CallOptions | undefined): Promise<Reply> {
    return (await this.#sender.read(build, call)).reply;
  }
}

/** A reply with the server's time, where it has one. */
function timed<Reply extends object>({ reply, time }: Answer<Reply>): Reply & port.Timed {
  return { ...reply, ...time };
}
