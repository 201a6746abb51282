/**
 * How does an operation get its answer? It is sent, and sent again when no reply came, a few times with growing pauses;
 * then the error goes to the caller.
 *
 * After a lost reply the batch may have happened. So for each send the operation is built anew, with a new op mark
 * (trick 2 of docs/sql.md): a batch that did happen changes nothing more and gives the same answer. Behind the
 * operation, in the same batch, listeners on other connections are notified and the server's time is read.
 */
import { type Clock, delay } from "../base/clock.ts";
import { systemIds } from "../base/id.ts";
import type { CallOptions, Wake } from "../storage/port.ts";
import type { Operation } from "./batch.ts";
import { type BatchMode, type Driver, DriverError, type Sql } from "./driver.ts";
import type { Templates } from "./template.ts";

/** Sends of an operation whose reply is lost each time. */
const MAX_SENDS = 4;
const FIRST_PAUSE_MS = 50;

/** What listeners on other connections are notified of; `ends`: of jobs, but only where one that ended affects others. */
export type Notice = "jobs" | "schedules" | "ends";

/** A reply, and the server's time (epoch ms) where the database has a clock of its own. */
export interface Answer<Reply> {
  readonly reply: Reply;
  readonly time: { time?: number };
}

/** Sends operations through a driver. */
export class Sender {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #time: Sql | null;
  readonly #notices: Readonly<Record<Notice, Sql | null>>;

  constructor({ driver, clock, templates: t }: { driver: Driver; clock: Clock; templates: Templates }) {
    this.#driver = driver;
    this.#clock = clock;
    this.#time = t.dialect.serverTime === null ? null : t.sql(`SELECT ${t.dialect.serverTime} AS time`);
    this.#notices = noticesOf(driver, t);
  }

  /** Gives the statement of a notice, for batches that are sent by others; null where none is needed. */
  notice(notice: Notice): Sql | null {
    return this.#notices[notice];
  }

  /** Sends an operation that writes. @param build builds it anew for each time that it is sent */
  write<Reply>(
    build: () => Operation<Reply>,
    call: CallOptions | undefined,
    notices: readonly (Notice | false)[] = [],
  ): Promise<Answer<Reply>> {
    return this.persist(() => this.#send(build(), "write", call, notices), call);
  }

  /** Sends an operation that only reads. */
  read<Reply>(build: () => Operation<Reply>, call: CallOptions | undefined): Promise<Answer<Reply>> {
    return this.persist(() => this.#send(build(), "read", call, []), call);
  }

  /** Does work again that got no answer, unless its caller no longer waits for it. */
  async persist<T>(work: () => Promise<T>, call: CallOptions | undefined): Promise<T> {
    for (let send = 1; ; send++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DriverError) || !error.ambiguous || send === MAX_SENDS) throw error;
        const pauseMs = FIRST_PAUSE_MS * 2 ** (send - 1) * (0.5 + systemIds.random());
        if (!(await delay(this.#clock, pauseMs, call?.signal))) throw error;
      }
    }
  }

  async #send<Reply>(
    { batches, args, reply }: Operation<Reply>,
    mode: BatchMode,
    call: CallOptions | undefined,
    notices: readonly (Notice | false)[],
  ): Promise<Answer<Reply>> {
    const queries = batches.flatMap((batch) => batch.queries);
    for (const notice of notices) {
      const sql = notice && this.#notices[notice];
      if (sql) queries.push({ sql, args });
    }
    if (this.#time) queries.push({ sql: this.#time, args: {} });
    const rows = await this.#driver.batch(queries, mode, call);
    let at = 0;
    for (const batch of batches) {
      batch.answer(rows.slice(at, at + batch.queries.length));
      at += batch.queries.length;
    }
    return { reply: reply(), time: this.#time ? { time: Number(rows.at(-1)![0]!["time"]) } : {} };
  }
}

function noticesOf(driver: Driver, t: Templates): Record<Notice, Sql | null> {
  const notification = (wake: Wake, where = ""): Sql | null =>
    driver.notification ? t.sql(`${driver.notification(wake)}${where}`) : null;
  return {
    jobs: notification("jobs"),
    schedules: notification("schedules"),
    ends: notification(
      "jobs",
      ` WHERE EXISTS (SELECT 1 FROM {jobs} WHERE mark IN (:mark, :cascade) AND tied > 0 AND tied > 1
          AND finished_at IS NOT NULL)`,
    ),
  };
}
