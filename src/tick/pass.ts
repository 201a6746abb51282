/**
 * What does one pass over the due schedules write? Plans all of them within a budget of jobs, bytes and steps.
 *
 * Each due schedule gets one decision first, so a schedule with a week of backlog does not starve the others; then the
 * oldest occurrence of all is decided, again and again, until the budget is used up. A schedule that cannot be read or
 * planned becomes `broken`, with the reason as its note, and the others go on.
 */
import type { Engine } from "../engine/engine.ts";
import { readDefinition } from "../schedule/definition.ts";
import { FiringDraft } from "../schedule/firing.ts";
import { Planner } from "../schedule/planner.ts";
import type { DueSchedule, Firing, Instant, NewJob, OccurrenceRecord } from "../storage/port.ts";

/** How much one pass may decide. */
export interface PassBudget {
  /** Jobs. */
  readonly maxJobs: number;
  /** Approximate bytes of the batch; the first job always fits. */
  readonly maxBytes: number;
  /** Occurrences of calendar expressions that may be walked to count skipped ones. */
  readonly maxSteps: number;
}

/** What a pass decided. */
export interface PassPlan {
  firings: Firing[];
  /** Schedules that could not be planned. */
  broken: { name: string; error: Error }[];
  /** More is due than the budget allowed. */
  more: boolean;
  /** The earliest occurrence without outcome among the schedules given; null where there is none. */
  nextAt: Instant | null;
}

interface Turn {
  record: DueSchedule;
  planner: Planner;
  draft: FiringDraft;
  touched: boolean;
}

/**
 * Plans the due schedules.
 *
 * @param due oldest first
 * @param now what is due is decided by it
 */
export function planPass(engine: Engine, due: readonly DueSchedule[], now: Instant, budget: PassBudget): PassPlan {
  const pass = new Pass(engine, now, budget);
  for (const record of due) pass.take(record);
  pass.spend();
  return pass.result();
}

class Pass {
  readonly #engine: Engine;
  readonly #now: Instant;
  readonly #turns: Turn[] = [];
  /** Schedules with more to decide, the oldest occurrence at the root. */
  readonly #heap: Turn[] = [];
  readonly #broken: { name: string; error: Error; firing: Firing }[] = [];
  #jobs: number;
  #bytes: number;
  #steps: number;

  constructor(engine: Engine, now: Instant, budget: PassBudget) {
    this.#engine = engine;
    this.#now = now;
    this.#jobs = budget.maxJobs;
    this.#bytes = budget.maxBytes;
    this.#steps = budget.maxSteps;
  }

  /** Adds a schedule and makes its first decision. */
  take(record: DueSchedule): void {
    try {
      const read = readDefinition(record, this.#engine);
      if (read instanceof Error) throw read;
      const planner = new Planner(read, record, this.#now);
      const turn = { record, planner, draft: new FiringDraft(record.name, read.definition), touched: false };
      this.#turns.push(turn);
      if (planner.due && !this.#spent) this.#decide(turn);
      if (planner.due) push(this.#heap, turn);
    } catch (error) {
      this.#break(record, error);
    }
  }

  /** Spends the rest of the budget, oldest occurrence first. */
  spend(): void {
    while (!this.#spent) {
      const turn = pop(this.#heap);
      if (turn === undefined) return;
      try {
        this.#decide(turn);
        if (turn.planner.due) push(this.#heap, turn);
      } catch (error) {
        this.#turns.splice(this.#turns.indexOf(turn), 1);
        this.#break(turn.record, error);
      }
    }
  }

  result(): PassPlan {
    const firings = this.#broken.map(({ firing }) => firing);
    let nextAt: Instant | null = null;
    for (const { record, planner, draft, touched } of this.#turns) {
      if (touched) firings.push(draft.firing(record, planner, this.#now));
      if (planner.at !== null) nextAt = Math.min(nextAt ?? Infinity, planner.at);
    }
    return {
      firings,
      broken: this.#broken.map(({ name, error }) => ({ name, error })),
      more: this.#turns.some(({ planner }) => planner.due),
      nextAt,
    };
  }

  get #spent(): boolean {
    return this.#jobs <= 0 || this.#bytes <= 0 || this.#steps <= 0;
  }

  #decide(turn: Turn): void {
    const outcome = turn.planner.decide(this.#steps);
    turn.draft.add(outcome, this.#engine, this.#now);
    turn.touched = true;
    if (outcome.reason === null) {
      this.#jobs--;
      this.#bytes -= turn.draft.jobBytes;
    } else {
      this.#steps -= turn.planner.cost(outcome);
      this.#bytes -= 200;
    }
  }

  #break(record: DueSchedule, cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const { name, revision, nextAt, fired, skips, lastAt } = record;
    const none: { jobs: NewJob[]; occurrences: OccurrenceRecord[] } = { jobs: [], occurrences: [] };
    const firing: Firing = {
      name,
      revision,
      state: "broken",
      nextAt,
      fired,
      skips,
      lastAt,
      note: error.message,
      cancelUnfinished: false,
      ...none,
    };
    this.#broken.push({ name, error, firing });
  }
}

/** Orders the binary heap by the planner's place; ties by name, so that plans do not depend on the order of reading. */
function before(a: Turn, b: Turn): boolean {
  const difference = a.planner.at! - b.planner.at!;
  return difference < 0 || (difference === 0 && a.record.name < b.record.name);
}

function push(heap: Turn[], turn: Turn): void {
  let at = heap.length;
  heap.push(turn);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(turn, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = turn;
}

function pop(heap: Turn[]): Turn | undefined {
  const root = heap[0];
  const turn = heap.pop();
  if (root === undefined || turn === undefined || heap.length === 0) return root;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (child >= heap.length || !before(heap[child]!, turn)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = turn;
  return root;
}
