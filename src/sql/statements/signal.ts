/**
 * How does a signal reach its job? It is stored with its place in the order of arrivals, and the job becomes ready if
 * it waits.
 *
 * A signal is new when its `seq` is above the job's `arrivals`. It is stored and counted in one batch, so none is
 * counted twice; one that is sent again is already stored.
 */
import type { SignalReply, SignalRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Sql } from "../driver.ts";
import { itemOf, listKind, listOf } from "../list.ts";
import type { Templates } from "../template.ts";
import { readyIfWaiting } from "./arrival.ts";
import { valuesOf } from "./lists.ts";

const SIGNALS = listKind<SignalRequest["signals"][number]>()({
  job_id: ["text", (signal) => signal.jobId],
  name: ["text", (signal) => signal.name],
  key: ["text", (signal) => signal.key],
  payload: ["text", (signal) => signal.payload],
});

/** Statements of signals. */
export interface SignalStatements {
  readonly t: Templates;
  /** Locks the jobs, so that signals of two batches are numbered one after the other. */
  readonly lock: Sql;
  readonly insert: Sql;
  readonly reach: Sql;
  /** What became of the signals that were not inserted. */
  readonly outcomes: Sql;
}

/** Prepares the statements. */
export function signalStatements(t: Templates): SignalStatements {
  const d = t.dialect;
  const list = t.list(SIGNALS, "signals");
  const known =
    "EXISTS (SELECT 1 FROM {signals} AS s WHERE s.job_id = item.job_id AND s.name = item.name AND s.key = item.key)";
  return {
    t,
    lock: t.sql(
      `SELECT id FROM {jobs} WHERE id IN (SELECT item.job_id FROM ${list} AS item) ORDER BY id${d.forUpdate}`,
    ),
    insert: t.insert({
      into: "signals",
      rows: {
        values: {
          ...valuesOf(SIGNALS, itemOf(SIGNALS.columns, "item.")),
          sent_at: ":now",
          seq: "j.arrivals + row_number() OVER (PARTITION BY item.job_id ORDER BY item.ord)",
        },
        from: `${list} AS item JOIN {jobs} AS j ON j.id = item.job_id WHERE j.finished_at IS NULL AND NOT ${known}
          ORDER BY item.ord`,
      },
      conflict: "DO NOTHING",
      returning: "job_id, name, key",
    }),
    reach: t.sql(`UPDATE {jobs} AS j SET arrivals = n.seq, ${readyIfWaiting("j")}
      FROM (SELECT s.job_id, max(s.seq) AS seq FROM {signals} AS s
        WHERE s.job_id IN (SELECT item.job_id FROM ${list} AS item) GROUP BY s.job_id) AS n
      WHERE j.id = n.job_id AND j.arrivals < n.seq AND j.finished_at IS NULL`),
    outcomes:
      t.sql(`SELECT CASE WHEN ${known} THEN 'duplicate' WHEN j.id IS NULL THEN 'unknown' ELSE 'finished' END AS outcome
      FROM ${list} AS item LEFT JOIN {jobs} AS j ON j.id = item.job_id ORDER BY item.ord`),
  };
}

const keyOf = (job: string, name: string, key: string): string => JSON.stringify([job, name, key]);

/** Signals without repetitions of one before. */
function distinct(signals: SignalRequest["signals"]): SignalRequest["signals"] {
  const seen = new Set<string>();
  return signals.filter(({ jobId, name, key }) => {
    const text = keyOf(jobId, name, key);
    return !seen.has(text) && seen.add(text);
  });
}

/** The batch of signals. */
export function signal(s: SignalStatements, request: SignalRequest): Operation<SignalReply> {
  const { dialect } = s.t;
  const signals = distinct(request.signals);
  const batch = new Batch<"inserted" | "outcomes">({ now: request.now, signals: listOf(dialect, SIGNALS, signals) });
  if (dialect.concurrent) batch.run(s.lock);
  batch.read("inserted", s.insert);
  batch.run(s.reach);
  batch.read("outcomes", s.outcomes);
  return operation(batch, () => {
    const accepted = new Set(
      batch.rows("inserted").map((row) => keyOf(row["job_id"] as string, row["name"] as string, row["key"] as string)),
    );
    const outcomes = batch.rows("outcomes");
    const byKey = new Map(signals.map(({ jobId, name, key }, i) => [keyOf(jobId, name, key), outcomes[i]!]));
    return {
      outcomes: request.signals.map(({ jobId, name, key }) => {
        const text = keyOf(jobId, name, key);
        // Of equal signals in one request the first is the one that was stored.
        if (accepted.delete(text)) return "accepted";
        return byKey.get(text)!["outcome"] as SignalReply["outcomes"][number];
      }),
    };
  });
}
