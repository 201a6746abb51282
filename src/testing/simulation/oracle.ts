/**
 * What must never happen? The promises as invariants, checked at every change of a row.
 *
 * The oracle watches the tables from below and the requests from above, and keeps its own books: who was granted the
 * lease last, which claim of a job is the latest, which steps are done, which occurrences have become jobs. It trusts no
 * guard of the storage or the engine: taking one out must show here.
 */
import { isFinished } from "../../memory/jobs.ts";
import type {
  BeginTickReply,
  ClaimReply,
  ClaimRequest,
  EnqueueReply,
  FireReply,
  FireRequest,
  JobRecord,
  JobState,
  OccurrenceRecord,
  PurgeRequest,
  PutSchedulesReply,
  PutSchedulesRequest,
  RetryRequest,
  SaveReply,
  SaveRequest,
  ScheduleRecord,
} from "../../storage.ts";
import type { Ground } from "./ground.ts";
import { instantsOf } from "./instants.ts";
import { judgeResult, type Op } from "./script.ts";

/** The request that is being carried out. */
interface Carried {
  host: string;
  method: string;
  request: unknown;
  /** Schedules that a client was editing through this host when the request was sent. */
  edited: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();

const NEXT_STATES: Readonly<Record<JobState, readonly JobState[]>> = {
  ready: ["running", "cancelled", "expired"],
  running: ["ready", "waiting", "completed", "failed", "cancelled", "expired"],
  waiting: ["ready", "cancelled"],
  completed: [],
  failed: ["ready"],
  cancelled: ["ready"],
  expired: ["ready"],
};

/** Keeps the books, and finds what does not fit. */
export class Oracle {
  /** What was found; the first is the one that counts. */
  readonly violations: string[] = [];
  /** How many occurrences got an outcome. */
  occurrences = 0;
  /** How many moves of schedules were checked to leave no occurrence out. */
  covered = 0;
  /** How many jobs ended. */
  ended = 0;
  readonly #ground: Ground;
  readonly #start: number;
  #carried: Carried = { host: "nobody", method: "none", request: null, edited: NOTHING };
  #granted = { holder: "", token: 0 };
  readonly #fired = new Map<string, string>();
  readonly #lastFired = new Map<string, number>();
  /** The token of the latest claim of each running job. */
  readonly #claims = new Map<string, string>();
  readonly #ops = new Set<string>();
  /** Outputs of done steps by job. */
  readonly #done = new Map<string, Map<string, string | null>>();
  /** Steps that were done when a claim began, by job and fence. */
  readonly #doneAtClaim = new Map<string, ReadonlySet<string>>();
  /** How often a job of an id was removed. */
  readonly #lives = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  readonly #running = new Map<string, number>();
  readonly #admitted = new Map<string, number>();
  /** Instants of each schedule that have an outcome; purging forgets none here. */
  readonly #outcomes = new Map<string, Set<number>>();
  /** The last outcome of a schedule that was removed: another of its name may find instants taken up to there. */
  readonly #former = new Map<string, number>();
  /** Outcomes recorded by the request that is being carried out. */
  readonly #recordedNow: OccurrenceRecord[] = [];
  readonly #moved: { before: ScheduleRecord; after: ScheduleRecord }[] = [];
  readonly #serverNow: (() => number) | null;

  /** @param options `serverNow`: the server's clock, where the storage has one; `start`: when the world began */
  constructor(ground: Ground, options: { serverNow: (() => number) | null; start: number }) {
    this.#ground = ground;
    this.#serverNow = options.serverNow;
    this.#start = options.start;
    ground.watch({
      jobChanged: (before, after) => this.#jobChanged(before, after),
      scheduleChanged: (before, after) => this.#scheduleChanged(before, after),
      recorded: (outcome) => this.#recorded(outcome),
    });
  }

  /** Says that something must not be. */
  fail(what: string): void {
    const { host, method } = this.#carried;
    this.violations.push(`${what} [${method} of ${host}]`);
  }

  /**
   * A request is about to be carried out.
   *
   * @param request `edited`: schedules that a client was editing through this host when it was sent; closing out what they
   *   had missed moves them by revision, without a lease
   * @returns to be called with its reply
   */
  carry(carried: Omit<Carried, "edited"> & { edited?: ReadonlySet<string> }): (reply: unknown) => void {
    const { method, request } = carried;
    this.#carried = { edited: NOTHING, ...carried };
    const claims = method === "save" ? new Map(this.#claims) : null;
    return (reply) => {
      this.#ground.settle();
      this.#enterOutcomes();
      if (method === "beginTick") this.#leaseAsked(reply as BeginTickReply);
      else if (method === "fire") this.#firedBy(request as FireRequest, reply as FireReply);
      else if (method === "putSchedules") this.#put(request as PutSchedulesRequest, reply as PutSchedulesReply);
      else if (method === "claim") this.#claimed(reply as ClaimReply);
      else if (method === "save") this.#saved(request as SaveRequest, reply as SaveReply, claims!);
      else if (method === "retry") this.#retried(request as RetryRequest, reply as string[]);
      else if (method === "enqueue") this.#enqueued(reply as EnqueueReply);
      // The claim that rode along saw what the write before it had saved.
      if (method === "save" || method === "enqueue") this.#rode(request as SaveRequest, reply as SaveReply);
      this.#moved.length = 0;
      this.#recordedNow.length = 0;
    };
  }

  /** Whether the lease or a claim under which a request was sent is another's by now. */
  outlived(method: string, request: unknown): boolean {
    if (method === "save")
      return (request as SaveRequest).writes.some(({ id, token }) => this.#claims.get(id) !== token);
    const { lease } = request as FireRequest;
    return lease !== null && (lease.token !== this.#granted.token || lease.holder !== this.#granted.holder);
  }

  /** The claim that is being carried out, by itself or with a write. */
  #claimRequest(): ClaimRequest | null {
    const { method, request } = this.#carried;
    if (method === "claim") return request as ClaimRequest;
    return method === "save" || method === "enqueue" ? ((request as SaveRequest).claim ?? null) : null;
  }

  // ---------------------------------------------------------------- steps, told by the scripts

  /** A step's function begins. @returns how often it has begun before */
  stepBegins(jobId: string, step: string, fence: number): number {
    const claim = this.#claimOf(jobId, fence);
    if (this.#doneAtClaim.get(claim)?.has(step))
      this.fail(`step "${step}" of ${jobId} runs again: it was done when claim ${fence} began`);
    const key = `${jobId} ${step}`;
    const before = this.#begun.get(key) ?? 0;
    this.#begun.set(key, before + 1);
    return before;
  }

  /** A step's function returns: in this claim it must not begin again. */
  stepEnds(jobId: string, step: string, fence: number): void {
    const claim = this.#claimOf(jobId, fence);
    const done = new Set(this.#doneAtClaim.get(claim));
    done.add(step);
    this.#doneAtClaim.set(claim, done);
  }

  #claimOf(jobId: string, fence: number): string {
    return `${jobId} ${this.#lives.get(jobId) ?? 0} ${fence}`;
  }

  /** A job passes a place of its code. @returns how often before */
  passes(jobId: string, place: string): number {
    const key = `${jobId} at ${place}`;
    const before = this.#begun.get(key) ?? 0;
    this.#begun.set(key, before + 1);
    return before;
  }

  // ---------------------------------------------------------------- rows

  #jobChanged(before: Readonly<JobRecord> | null, after: Readonly<JobRecord> | null): void {
    const { method } = this.#carried;
    if (before === null) {
      this.#inserted(after!);
      return;
    }
    if (after === null) {
      this.#removed(before);
      return;
    }
    const { id } = before;
    this.#count(this.#running, before.queue, Number(after.state === "running") - Number(before.state === "running"));
    if (before.limitKey !== null) this.#count(this.#admitted, before.limitKey, counts(after) - counts(before));
    if (before.state !== after.state) this.#moves(before, after);
    else if (isFinished(before.state) && !same(before, after)) this.fail(`job ${id} changed after its end`);
    const claimed = before.state !== "running" && after.state === "running";
    if (after.claims - before.claims !== Number(claimed))
      this.fail(`job ${id}: claims went from ${before.claims} to ${after.claims}`);
    if (after.attempt < before.attempt && method !== "retry") this.fail(`job ${id}: attempt went back`);
    if (before.state === "running" && after.state === "running" && after.claimToken !== before.claimToken) {
      this.fail(`job ${id}: its claim passed to another without being free`);
    }
    if (claimed) {
      this.#claims.set(id, after.claimToken!);
      this.#checkPlaces(after);
      if (before.held) this.fail(`job ${id} was claimed while its limit held it`);
      const claim = this.#claimRequest();
      if (claim === null) this.fail(`job ${id} was claimed without a claim`);
      else if (before.availableAt! > claim.now) this.#early(before);
    } else if (after.state !== "running") this.#claims.delete(id);
  }

  /** A claim may find a job that another host's clock made available; never one that waits for later by every clock. */
  #early(row: Readonly<JobRecord>): void {
    const now = this.#serverNow?.();
    if (now !== undefined && row.availableAt! > now + CLOCK_ERROR_MS)
      this.fail(`job ${row.id} was claimed ${row.availableAt! - now} ms early`);
  }

  #inserted(row: Readonly<JobRecord>): void {
    const { method, request } = this.#carried;
    if (row.state !== "ready" || row.attempt !== 0) this.fail(`job ${row.id} was not inserted as new`);
    if (row.limitKey !== null) this.#count(this.#admitted, row.limitKey, counts(row));
    if (row.schedule === null || (method !== "fire" && method !== "putSchedules")) return;
    const occurrence = `${row.schedule} @ ${row.scheduledAt}`;
    const other = this.#fired.get(occurrence);
    if (other !== undefined) this.fail(`occurrence ${occurrence} became two jobs: ${other} and ${row.id}`);
    this.#fired.set(occurrence, row.id);
    const now = this.#serverNow?.() ?? (request as FireRequest).now;
    if (row.scheduledAt! > now + (this.#serverNow ? CLOCK_ERROR_MS : 0)) {
      this.fail(`occurrence ${occurrence} fired ${row.scheduledAt! - now} ms early`);
    }
  }

  #removed(row: Readonly<JobRecord>): void {
    const { method, request } = this.#carried;
    const { finishedBefore, failedBefore } = request as PurgeRequest;
    const before = row.state === "failed" ? failedBefore : finishedBefore;
    const parent = row.parentId === null ? undefined : this.#ground.job(row.parentId);
    const may =
      method === "purge" && isFinished(row.state) && row.finishedAt! < before && (!parent || isFinished(parent.state));
    // The same id may come again, as another job: a child that is begun anew.
    this.#done.delete(row.id);
    this.#lives.set(row.id, (this.#lives.get(row.id) ?? 0) + 1);
    if (!may) this.fail(`job ${row.id} was removed although it is ${row.state}`);
  }

  #moves(before: Readonly<JobRecord>, after: Readonly<JobRecord>): void {
    const { method } = this.#carried;
    const { id } = before;
    if (!NEXT_STATES[before.state].includes(after.state))
      this.fail(`job ${id} went from ${before.state} to ${after.state}`);
    if (isFinished(before.state)) {
      if (method !== "retry") this.fail(`job ${id} came back from ${before.state} without retry`);
      return;
    }
    if (before.state === "running" && after.state !== "cancelled") this.#leaves(before);
    if (after.state === "expired" && before.state === "ready" && before.attempt > 0)
      this.fail(`job ${id} expired after it began`);
    if (isFinished(after.state)) this.ended++;
    if (after.state === "completed" && before.task === "play") this.#judge(after);
  }

  /** A running job is moved by who holds its claim, or its claim has run out. */
  #leaves(row: Readonly<JobRecord>): void {
    const { method, request } = this.#carried;
    const write = method === "save" ? (request as SaveRequest).writes.find(({ id }) => id === row.id) : undefined;
    if (write?.token === row.claimToken) return;
    const claim = this.#claimRequest();
    if (claim === null) {
      if (method === "save") this.fail(`job ${row.id} was moved under a lost claim`);
    } else if (row.claimExpiresAt! > claim.now) {
      this.fail(`job ${row.id}: its claim was taken ${row.claimExpiresAt! - claim.now} ms before its end`);
    }
  }

  #judge(row: Readonly<JobRecord>): void {
    const wrong = judgeResult(row.id, JSON.parse(row.input) as Op[], JSON.parse(row.result!));
    if (wrong !== null) this.fail(`job ${row.id} completed with a wrong result: ${wrong}`);
  }

  #checkPlaces(row: Readonly<JobRecord>): void {
    const settings = this.#ground.queue(row.queue);
    const running = this.#running.get(row.queue) ?? 0;
    // A limit that was lowered meanwhile holds for the next claim; it cannot take claims back.
    if (settings?.paused) this.fail(`job ${row.id} was claimed from the paused queue ${row.queue}`);
    if (settings?.concurrency != null && running > settings.concurrency)
      this.fail(`queue ${row.queue} runs ${running} jobs, more than ${settings.concurrency}`);
  }

  #count(counts: Map<string, number>, key: string, change: number): void {
    if (change === 0) return;
    const count = (counts.get(key) ?? 0) + change;
    counts.set(key, count);
    if (counts !== this.#admitted || change < 0) return;
    const concurrency = this.#ground.concurrencyOf(key);
    if (concurrency !== null && count > concurrency)
      this.fail(`limit ${key} admitted ${count} jobs, more than ${concurrency}`);
  }

  // ---------------------------------------------------------------- claims and steps

  #claimed({ jobs }: ClaimReply): void {
    for (const { id, claims, steps } of jobs) {
      const known = this.#done.get(id);
      const done = new Set<string>();
      for (const step of steps) if (step.state === "done") done.add(step.name);
      for (const name of known?.keys() ?? [])
        if (!done.has(name)) this.fail(`job ${id} was claimed without its finished step "${name}"`);
      const claim = this.#claimOf(id, claims);
      if (!this.#doneAtClaim.has(claim)) this.#doneAtClaim.set(claim, done);
    }
  }

  #saved({ op, writes }: SaveRequest, { saved }: SaveReply, claims: ReadonlyMap<string, string>): void {
    for (const { id } of saved) {
      const key = `${op} ${id}`;
      const write = writes.find((one) => one.id === id)!;
      if (this.#ops.has(key)) continue;
      this.#ops.add(key);
      if (claims.get(id) !== write.token) {
        this.fail(`job ${id} was written under a lost claim`);
        continue;
      }
      const done = this.#done.get(id) ?? new Map<string, string | null>();
      this.#done.set(id, done);
      for (const name of write.forget) done.delete(name);
      for (const step of write.steps) {
        if (done.has(step.name) && (step.state !== "done" || done.get(step.name) !== step.output)) {
          this.fail(`step "${step.name}" of ${id} was done and is written again as ${step.state}`);
        }
        if (step.state === "done") done.set(step.name, step.output);
      }
    }
  }

  #retried({ jobs }: RetryRequest, ids: string[]): void {
    for (const { id, forget } of jobs) {
      if (ids.includes(id)) for (const name of forget) this.#done.get(id)?.delete(name);
    }
  }

  #enqueued({ jobs }: EnqueueReply): void {
    for (const { id } of jobs) if (!this.#ground.job(id)) this.fail(`job ${id} was acknowledged and is not stored`);
  }

  #rode({ claim }: SaveRequest, { claimed }: SaveReply): void {
    if (claimed) this.#claimed(claimed);
    if ((claim === undefined) !== (claimed === undefined)) this.fail("a claim that rode along was not answered");
  }

  // ---------------------------------------------------------------- lease and schedules

  #leaseAsked({ leads, lease }: BeginTickReply): void {
    if (!leads || lease === null) return;
    const { holder, token } = this.#granted;
    if (lease.token < token) this.fail(`the lease's token went back from ${token} to ${lease.token}`);
    if (lease.token === token && lease.holder !== holder)
      this.fail(`token ${token} was granted to ${holder} and to ${lease.holder}`);
    this.#granted = { holder: lease.holder, token: lease.token };
  }

  #scheduleChanged(before: Readonly<ScheduleRecord> | null, after: Readonly<ScheduleRecord> | null): void {
    if (before === null || after === null) {
      this.#lastFired.delete((before ?? after)!.name);
      if (after !== null) this.#checkFirst(after);
      else this.#former.set(before!.name, Math.max(...(this.#outcomes.get(before!.name) ?? [])));
      return;
    }
    if (after.revision !== before.revision + 1)
      this.fail(`schedule ${after.name}: revision went from ${before.revision} to ${after.revision}`);
    if (after.state === "active" && after.nextAt === null)
      this.fail(`schedule ${after.name} is active and has no next occurrence`);
    this.#moved.push({ before: { ...before }, after: { ...after } });
  }

  #recorded(outcome: Readonly<OccurrenceRecord>): void {
    this.occurrences += outcome.count;
    if ((outcome.jobId === null) === (outcome.reason === null))
      this.fail(`the outcome of ${outcome.schedule} @ ${outcome.at} says neither or both`);
    this.#recordedNow.push({ ...outcome });
  }

  /** Enters what was recorded into the books, runs instant by instant. */
  #enterOutcomes(): void {
    for (const { schedule, at, untilAt, count } of this.#recordedNow) {
      const known = this.#outcomes.get(schedule) ?? new Set<number>();
      this.#outcomes.set(schedule, known);
      if (known.has(at) && at > (this.#former.get(schedule) ?? 0))
        this.fail(`occurrence ${schedule} @ ${at} got two outcomes`);
      known.add(at);
      const moved = this.#moved.find(({ after }) => after.name === schedule);
      const instants = count > 1 && moved ? instantsOf(moved.before.definition, this.#start) : null;
      let last: number | null = at;
      for (let i = 1; i < count && instants && last !== null; i++) {
        last = instants.next(last);
        if (last !== null) known.add(last);
      }
      if ((count === 1 || instants) && last !== null && last !== untilAt)
        this.fail(`schedule ${schedule}: outcomes ${at} to ${untilAt} (${count}) should end at ${last}`);
    }
  }

  #firedBy({ lease, firings }: FireRequest, reply: FireReply): void {
    for (const { before, after } of this.#moved) {
      const firing = firings.find(({ name }) => name === after.name);
      // Counting failures moves schedules too.
      if (!firing || after.lastAt === before.lastAt) continue;
      if (firing.revision !== before.revision)
        this.fail(`schedule ${after.name} was fired from revision ${firing.revision}, not ${before.revision}`);
      if (lease === null) {
        const edits = this.#carried.edited.has(after.name);
        if (after.nextAt !== before.nextAt && !edits) this.fail(`schedule ${after.name} moved on without a lease`);
        continue;
      }
      if (lease.token !== this.#granted.token || lease.holder !== this.#granted.holder) {
        this.fail(
          `${lease.holder} fired ${after.name} with token ${lease.token}; ${this.#granted.holder} leads with ${this.#granted.token}`,
        );
      }
      this.#checkCovered(before, after);
      for (const { scheduledAt } of firing.jobs) {
        if (scheduledAt! <= (this.#lastFired.get(after.name) ?? 0))
          this.fail(`schedule ${after.name} fired ${scheduledAt} out of order`);
        this.#lastFired.set(after.name, scheduledAt!);
      }
    }
    if (!reply.leads && reply.fired.length > 0) this.fail("a fire without lease fired");
  }

  #put({ puts }: PutSchedulesRequest, { written }: PutSchedulesReply): void {
    for (const { before, after } of this.#moved) {
      const put = puts.find(({ record }) => record.name === after.name);
      if (!put || !written.includes(after.name)) continue;
      if (put.revision !== before.revision)
        this.fail(`schedule ${after.name} was put from revision ${put.revision}, not ${before.revision}`);
      const sameDefinition = before.definition === after.definition;
      if (!sameDefinition) this.#lastFired.delete(after.name);
      if (sameDefinition && before.nextAt !== null && before.nextAt !== after.nextAt) this.#checkCovered(before, after);
    }
  }

  /** A new schedule begins with its first occurrence after its registration. */
  #checkFirst({ name, definition, state, createdAt, nextAt }: Readonly<ScheduleRecord>): void {
    const first = instantsOf(definition, this.#start)?.first(createdAt) ?? null;
    if (state === "active" && first !== null && nextAt !== first)
      this.fail(`schedule ${name}: its first occurrence is ${nextAt}, not ${first}`);
  }

  /** Every occurrence that a schedule passes has an outcome by the end of the same batch, and nothing else has one. */
  #checkCovered(before: ScheduleRecord, after: ScheduleRecord): void {
    const { name } = after;
    const instants = instantsOf(before.definition, this.#start);
    if (instants === null || before.nextAt === null || before.nextAt <= (this.#former.get(name) ?? 0)) return;
    const due = instants.calendar ? instants.next(before.nextAt - 1) : before.nextAt;
    if (due !== null && due !== before.nextAt) this.fail(`schedule ${name} stood at ${before.nextAt}, not at ${due}`);
    const until = after.nextAt ?? (after.lastAt === null ? due : instants.next(after.lastAt));
    const passed = new Set<number>();
    for (let at = due; at !== until; at = instants.next(at)) {
      // Past what is known.
      if (at === null || until === null) return;
      if (at > until) {
        this.fail(`schedule ${name} moved to ${until}, where none of its occurrences is`);
        return;
      }
      passed.add(at);
      if (!this.#outcomes.get(name)?.has(at)) this.fail(`schedule ${name} passed ${at}, which has no outcome`);
    }
    for (const { schedule, at } of this.#recordedNow)
      if (schedule === name && !passed.has(at)) this.fail(`schedule ${name} recorded ${at}, which it did not pass`);
    this.covered++;
  }
}

/** How far a clock that follows a server may be off: half a round trip, and drift since the last reply. */
const CLOCK_ERROR_MS = 3000;

/** Whether a job counts against its limit. */
function counts(row: Readonly<JobRecord>): number {
  return row.limitKey !== null && !row.held && !isFinished(row.state) ? 1 : 0;
}

function same(a: Readonly<JobRecord>, b: Readonly<JobRecord>): boolean {
  for (const key of Object.keys(a) as (keyof JobRecord)[]) if (a[key] !== b[key]) return false;
  return true;
}
