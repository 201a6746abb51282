/**
 * What must never happen to schedules? A ledger of the lease, of occurrences and their outcomes.
 *
 * It holds the current lease, the job of each occurrence, and the instants that have an outcome, taken from replies and rows,
 * never from requests. The instants that must have an outcome are computed independently (`instants.ts`).
 */
import type {
  BeginTickReply,
  FireReply,
  FireRequest,
  JobRecord,
  OccurrenceRecord,
  PutSchedulesReply,
  PutSchedulesRequest,
  ScheduleRecord,
} from "../../../src/storage/port.ts";
import type { CurrentRequest } from "./current_request.ts";
import { instantsOf } from "./instants.ts";

/** How far a clock that follows a server may be off: half a round trip, and drift since the last reply. */
export const CLOCK_ERROR_MS = 3000;

/** The ledger. */
export class ScheduleLedger {
  /** How many occurrences got an outcome. */
  occurrences = 0;
  /** How many moves of schedules were checked to leave out no occurrence. */
  covered = 0;
  readonly #fail: (what: string) => void;
  readonly #start: number;
  readonly #serverNow: (() => number) | null;
  #granted = { holder: "", token: 0 };
  readonly #fired = new Map<string, string>();
  readonly #lastFired = new Map<string, number>();
  /** Instants of each schedule that have an outcome; unlike the storage, the ledger keeps those that were purged. */
  readonly #outcomes = new Map<string, Set<number>>();
  /** The last outcome of each removed schedule: a new one of its name may find instants up to there taken. */
  readonly #former = new Map<string, number>();
  /** Outcomes recorded and schedules changed by the current request. */
  readonly #recordedNow: OccurrenceRecord[] = [];
  readonly #moved: { before: ScheduleRecord; after: ScheduleRecord }[] = [];

  /** @param fail reports a violation */
  constructor(fail: (what: string) => void, options: { serverNow: (() => number) | null; start: number }) {
    this.#fail = fail;
    this.#start = options.start;
    this.#serverNow = options.serverNow;
  }

  /** Whether this is the lease that was granted last. */
  leads({ holder, token }: { holder: string; token: number }): boolean {
    return token === this.#granted.token && holder === this.#granted.holder;
  }

  /** A request was executed, and its changes of rows were reported. */
  done({ method, request, edited }: CurrentRequest, reply: unknown): void {
    this.#enterOutcomes();
    if (method === "beginTick") this.#asked(reply as BeginTickReply);
    else if (method === "fire") this.#firedBy(request as FireRequest, reply as FireReply, edited);
    else if (method === "putSchedules") this.#put(request as PutSchedulesRequest, reply as PutSchedulesReply);
    this.#moved.length = 0;
    this.#recordedNow.length = 0;
  }

  /** An occurrence became a job. @param requestedAt the `now` of the request */
  becameJob(row: Readonly<JobRecord>, requestedAt: number): void {
    const occurrence = `${row.schedule} @ ${row.scheduledAt}`;
    const other = this.#fired.get(occurrence);
    if (other !== undefined) this.#fail(`occurrence ${occurrence} became two jobs: ${other} and ${row.id}`);
    this.#fired.set(occurrence, row.id);
    const now = this.#serverNow?.() ?? requestedAt;
    if (row.scheduledAt! > now + (this.#serverNow ? CLOCK_ERROR_MS : 0))
      this.#fail(`occurrence ${occurrence} fired ${row.scheduledAt! - now} ms early`);
  }

  #asked({ leads, lease }: BeginTickReply): void {
    if (!leads || lease === null) return;
    const { holder, token } = this.#granted;
    if (lease.token < token) this.#fail(`the lease's token went back from ${token} to ${lease.token}`);
    if (lease.token === token && lease.holder !== holder)
      this.#fail(`token ${token} was granted to ${holder} and to ${lease.holder}`);
    this.#granted = { holder: lease.holder, token: lease.token };
  }

  /** A schedule's row changed. */
  changed(before: Readonly<ScheduleRecord> | null, after: Readonly<ScheduleRecord> | null): void {
    if (before === null || after === null) {
      this.#lastFired.delete((before ?? after)!.name);
      if (after !== null) this.#checkFirst(after);
      else this.#former.set(before!.name, Math.max(...(this.#outcomes.get(before!.name) ?? [])));
      return;
    }
    if (after.revision !== before.revision + 1)
      this.#fail(`schedule ${after.name}: revision went from ${before.revision} to ${after.revision}`);
    if (after.state === "active" && after.nextAt === null)
      this.#fail(`schedule ${after.name} is active and has no next occurrence`);
    this.#moved.push({ before: { ...before }, after: { ...after } });
  }

  /** An outcome was recorded. */
  recorded(outcome: Readonly<OccurrenceRecord>): void {
    this.occurrences += outcome.count;
    if ((outcome.jobId === null) === (outcome.reason === null))
      this.#fail(`the outcome of ${outcome.schedule} @ ${outcome.at} names neither a job nor a reason, or both`);
    this.#recordedNow.push({ ...outcome });
  }

  /** Enters recorded outcomes into the ledger; an outcome of several occurrences instant by instant. */
  #enterOutcomes(): void {
    for (const { schedule, at, untilAt, count } of this.#recordedNow) {
      const known = this.#outcomes.get(schedule) ?? new Set<number>();
      this.#outcomes.set(schedule, known);
      if (known.has(at) && at > (this.#former.get(schedule) ?? 0))
        this.#fail(`occurrence ${schedule} @ ${at} got two outcomes`);
      known.add(at);
      const moved = this.#moved.find(({ after }) => after.name === schedule);
      const instants = count > 1 && moved ? instantsOf(moved.before.definition, this.#start) : null;
      let last: number | null = at;
      for (let i = 1; i < count && instants && last !== null; i++) {
        last = instants.next(last);
        if (last !== null) known.add(last);
      }
      if ((count === 1 || instants) && last !== null && last !== untilAt)
        this.#fail(`schedule ${schedule}: outcomes ${at} to ${untilAt} (${count}) should end at ${last}`);
    }
  }

  #firedBy({ lease, firings }: FireRequest, reply: FireReply, edited: ReadonlySet<string>): void {
    for (const { before, after } of this.#moved) {
      const firing = firings.find(({ name }) => name === after.name);
      // Counting failures changes schedules, too.
      if (!firing || after.lastAt === before.lastAt) continue;
      if (firing.revision !== before.revision)
        this.#fail(`schedule ${after.name} was fired from revision ${firing.revision}, not ${before.revision}`);
      if (lease === null) {
        if (after.nextAt === before.nextAt) continue;
        if (!edited.has(after.name)) this.#fail(`schedule ${after.name} moved on without a lease`);
        this.#checkCovered(before, after);
        continue;
      }
      if (!this.leads(lease)) {
        this.#fail(
          `${lease.holder} fired ${after.name} with token ${lease.token}; ${this.#granted.holder} leads with ${this.#granted.token}`,
        );
      }
      this.#checkCovered(before, after);
      for (const { scheduledAt } of firing.jobs) {
        if (scheduledAt! <= (this.#lastFired.get(after.name) ?? 0))
          this.#fail(`schedule ${after.name} fired ${scheduledAt} out of order`);
        this.#lastFired.set(after.name, scheduledAt!);
      }
    }
    if (!reply.leads && reply.fired.length > 0) this.#fail("a fire without lease fired");
  }

  #put({ puts }: PutSchedulesRequest, { written }: PutSchedulesReply): void {
    for (const { before, after } of this.#moved) {
      const put = puts.find(({ record }) => record.name === after.name);
      if (!put || !written.includes(after.name)) continue;
      if (put.revision !== before.revision)
        this.#fail(`schedule ${after.name} was put from revision ${put.revision}, not ${before.revision}`);
      const sameDefinition = before.definition === after.definition;
      if (!sameDefinition) this.#lastFired.delete(after.name);
      if (sameDefinition && before.nextAt !== null && before.nextAt !== after.nextAt) this.#checkCovered(before, after);
    }
  }

  /** Checks that a new schedule begins with its first occurrence after its registration. */
  #checkFirst({ name, definition, state, createdAt, nextAt }: Readonly<ScheduleRecord>): void {
    const first = instantsOf(definition, this.#start)?.first(createdAt) ?? null;
    if (state === "active" && first !== null && nextAt !== first)
      this.#fail(`schedule ${name}: its first occurrence is ${nextAt}, not ${first}`);
  }

  /** Checks that each occurrence which a schedule passes has an outcome in the same batch, and no other instant has one. */
  #checkCovered(before: ScheduleRecord, after: ScheduleRecord): void {
    const { name } = after;
    const instants = instantsOf(before.definition, this.#start);
    if (instants === null || before.nextAt === null || before.nextAt <= (this.#former.get(name) ?? 0)) return;
    const due = instants.calendar ? instants.next(before.nextAt - 1) : before.nextAt;
    if (due !== null && due !== before.nextAt) this.#fail(`schedule ${name} stood at ${before.nextAt}, not at ${due}`);
    const until = after.nextAt ?? (after.lastAt === null ? due : instants.next(after.lastAt));
    const passed = new Set<number>();
    for (let at = due; at !== until; at = instants.next(at)) {
      // Outside of the window in which instants are known.
      if (at === null || until === null) return;
      if (at > until) {
        this.#fail(`schedule ${name} moved to ${until}, where none of its occurrences is`);
        return;
      }
      passed.add(at);
      if (!this.#outcomes.get(name)?.has(at)) this.#fail(`schedule ${name} passed ${at}, which has no outcome`);
    }
    for (const { schedule, at } of this.#recordedNow)
      if (schedule === name && !passed.has(at)) this.#fail(`schedule ${name} recorded ${at}, which it did not pass`);
    this.covered++;
  }
}
