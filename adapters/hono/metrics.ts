/**
 * `/metrics`: the text that Prometheus reads (exposition format 0.0.4).
 *
 * Depths and states are read from the storage at each scrape, so they are the same from every process. Counters (fired,
 * completed, failed, durations, lateness) count this process's own events; a scraper adds them up over processes. Labels are
 * names of queues and tasks; of each counter a bounded number of label values is kept.
 */
import type { Belfry } from "../../src/belfry.ts";
import type { StatsReply } from "../../src/storage/port.ts";

const MAX_SERIES = 1_000;
const PREFIX = "belfry_";

interface Series {
  readonly help: string;
  readonly values: Map<string, number>;
}

/** Counts events of one Belfry. */
export class Metrics {
  readonly #series = new Map<string, Series>();

  /** Subscribes to events. */
  constructor(belfry: Belfry) {
    const { events } = belfry.engine;
    const add = (name: string, help: string): ((labels: Record<string, string>, by?: number) => void) => {
      const series: Series = { help, values: new Map() };
      this.#series.set(name, series);
      return (labels, by = 1) => {
        const key = writeLabels(labels);
        if (!series.values.has(key) && series.values.size >= MAX_SERIES) return;
        series.values.set(key, (series.values.get(key) ?? 0) + by);
      };
    };
    const fired = add("occurrences_fired_total", "Occurrences that became jobs.");
    const late = add("fire_lateness_seconds_sum", "How late occurrences fired, in all.");
    const skipped = add("occurrences_skipped_total", "Occurrences that did not fire, by reason.");
    const started = add("jobs_started_total", "Runs of jobs that began, resumed ones included.");
    const ended = add("jobs_total", "Runs of jobs that ended, by outcome.");
    const took = add("job_duration_seconds_sum", "How long runs of jobs took, in all.");
    events.on("schedule:fired", ({ lateMs }) => {
      fired({});
      late({}, Math.max(0, lateMs) / 1000);
    });
    events.on("schedule:skipped", ({ reason, count }) => skipped({ reason }, count));
    events.on("job:started", ({ task }) => started({ task }));
    for (const outcome of ["completed", "failed", "retried", "suspended", "released", "lost"] as const) {
      events.on(`job:${outcome}`, ({ task, durationMs }) => {
        ended({ task, outcome });
        took({ task }, durationMs / 1000);
      });
    }
  }

  /** Writes all of it. @param now epoch ms */
  write(stats: StatsReply, now: number): string {
    const lines: string[] = [];
    for (const [name, { help, values }] of this.#series) {
      lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} counter`);
      for (const [labels, value] of values) lines.push(`${PREFIX}${name}${labels} ${value}`);
    }
    const gauge = (name: string, help: string, rows: [labels: Record<string, string>, value: number][]): void => {
      lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} gauge`);
      for (const [labels, value] of rows) lines.push(`${PREFIX}${name}${writeLabels(labels)} ${value}`);
    };
    const { queues, schedules, onlySkips, nextAt, lease } = stats;
    const states = ["ready", "scheduled", "held", "running", "waiting", "failed"] as const;
    const depths = queues.flatMap((row) =>
      states.map((state): [Record<string, string>, number] => [{ queue: row.queue, state }, row[state]]),
    );
    gauge("queue_jobs", "Unfinished and failed jobs.", depths);
    gauge(
      "queue_oldest_ready_seconds",
      "How long the oldest claimable job has waited.",
      queues.map(({ queue, oldestReadyAt }) => [
        { queue },
        oldestReadyAt === null ? 0 : Math.max(0, now - oldestReadyAt) / 1000,
      ]),
    );
    gauge(
      "queue_paused",
      "1 where the queue is paused.",
      queues.map(({ queue, paused }) => [{ queue }, paused ? 1 : 0]),
    );
    gauge(
      "schedules",
      "Schedules by state.",
      Object.entries(schedules).map(([state, value]) => [{ state }, value]),
    );
    gauge("schedules_only_skips", "Active schedules that were due three or more times in a row without a job.", [
      [{}, onlySkips],
    ]);
    gauge("tick_lag_seconds", "How long the oldest due occurrence has waited to fire.", [
      [{}, nextAt === null ? 0 : Math.max(0, now - nextAt) / 1000],
    ]);
    gauge("lease_held", "1 while some engine leads.", [[{}, lease !== null && lease.expiresAt > now ? 1 : 0]]);
    gauge("lease_token", "Number of terms of leadership.", lease === null ? [] : [[{}, lease.token]]);
    return `${lines.join("\n")}\n`;
  }
}

function writeLabels(labels: Record<string, string>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}
