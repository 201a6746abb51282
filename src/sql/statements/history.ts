/**
 * How is a job read with its history? Its row, its steps, its signals and its ended children, in four statements of one
 * batch. Steps are forgotten here too.
 */
import type { ChildOutcome, ClaimedJob, SignalRecord, StepRecord } from "../../storage/port.ts";
import type { Batch } from "../batch.ts";
import type { Row, Sql } from "../driver.ts";
import { childOf, JOB_COLUMNS, jobOf, signalOf, stepOf } from "../rows.ts";
import type { Templates } from "../template.ts";
import { STEP_NAMES } from "./lists.ts";

/** Statements that read jobs with their history. */
export interface HistoryStatements {
  readonly jobs: Sql;
  readonly steps: Sql;
  readonly signals: Sql;
  readonly children: Sql;
}

/** Names of their rows in a batch. */
export type HistoryName = keyof HistoryStatements;

/** Deletes the steps of the list `forgets` whose jobs the batch has marked. */
export function forgetSteps(t: Templates): Sql {
  return t.sql(`DELETE FROM {steps} WHERE (job_id, name) IN (SELECT item.job_id, item.name
      FROM ${t.list(STEP_NAMES, "forgets")} AS item JOIN {jobs} AS j ON j.id = item.job_id WHERE j.mark = :mark)`);
}

/** Prepares the statements that read the jobs of a selection and their history. */
export function historyStatements(t: Templates, where: string): HistoryStatements {
  const ids = `(SELECT id FROM {jobs} WHERE ${where})`;
  return {
    jobs: t.sql(`SELECT ${JOB_COLUMNS} FROM {jobs} WHERE ${where}`),
    steps: t.sql(`SELECT job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id, signal_key,
        started_at, finished_at
      FROM {steps} WHERE job_id IN ${ids}`),
    signals: t.sql(`SELECT job_id, name, key, payload, sent_at, seq FROM {signals} WHERE job_id IN ${ids}
      ORDER BY job_id, seq`),
    children: t.sql(`SELECT parent_id, id, state, result, error, finished_at FROM {jobs}
      WHERE parent_id IN ${ids} AND finished_at IS NOT NULL`),
  };
}

/** Adds the statements to a batch. */
export function addHistory<Name extends string>(batch: Batch<Name | HistoryName>, s: HistoryStatements): void {
  batch.read("jobs", s.jobs);
  batch.read("steps", s.steps);
  batch.read("signals", s.signals);
  batch.read("children", s.children);
}

/** Reads the jobs with their history, in no particular order. */
export function historyOf<Name extends string>(batch: Batch<Name | HistoryName>): ClaimedJob[] {
  const stepsOf: Map<string, StepRecord[]> = grouped(batch.rows("steps"), "job_id", stepOf);
  const signalsOf: Map<string, SignalRecord[]> = grouped(batch.rows("signals"), "job_id", signalOf);
  const childrenOf: Map<string, ChildOutcome[]> = grouped(batch.rows("children"), "parent_id", childOf);
  return batch.rows("jobs").map((row) => {
    const job = jobOf(row) as ClaimedJob;
    job.steps = stepsOf.get(job.id) ?? [];
    job.signals = signalsOf.get(job.id) ?? [];
    job.children = childrenOf.get(job.id) ?? [];
    return job;
  });
}

/** Records of rows by the id of their job, in the order of the rows. */
function grouped<T>(rows: readonly Row[], column: string, read: (row: Row) => T): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const id = row[column] as string;
    const group = groups.get(id);
    if (group) group.push(read(row));
    else groups.set(id, [read(row)]);
  }
  return groups;
}
