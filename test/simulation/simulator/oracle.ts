/**
 * What must never happen? The promises as invariants, checked at every change of a row.
 *
 * The oracle observes all requests and all changes of rows, and keeps a ledger of its own: here the latest claim of each job
 * and the steps that are done, in `schedule_ledger.ts` the current lease and the occurrences that became jobs. It relies on
 * no guard of the storage or the engine: removing one must lead to a violation.
 */
import { isFinished } from "../../../src/memory/jobs.ts";
import type {
  ClaimReply,
  ClaimRequest,
  EnqueueReply,
  FireRequest,
  JobRecord,
  JobState,
  PurgeRequest,
  RetryRequest,
  SaveReply,
  SaveRequest,
} from "../../../src/storage/port.ts";
import type { CurrentRequest } from "./current_request.ts";
import { CLOCK_ERROR_MS, ScheduleLedger } from "./schedule_ledger.ts";
import { judgeResult, type Op } from "./script.ts";
import type { WorldStorage } from "./world_storage.ts";

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

/** Keeps the ledger and reports violations. */
export class Oracle {
  /** Violations in the order in which they were found; later ones may follow from the first. */
  readonly violations: string[] = [];
  /** The ledger of the lease, the schedules and their outcomes. */
  readonly schedules: ScheduleLedger;
  /** How many jobs ended. */
  ended = 0;
  readonly #storage: WorldStorage;
  #current: CurrentRequest = { host: "nobody", method: "none", request: null, edited: NOTHING, sent: 0 };
  /** The token of the latest claim of each running job. */
  readonly #claims = new Map<string, string>();
  readonly #ops = new Set<string>();
  /** Outputs of done steps by job, and the place in the order of requests of the one that saved them. */
  readonly #done = new Map<string, Map<string, { output: string | null; sent: number }>>();
  /** Steps that were done when a claim began, by job and fence. */
  readonly #doneAtClaim = new Map<string, ReadonlySet<string>>();
  /** How often a job with this id was removed. */
  readonly #removals = new Map<string, number>();
  readonly #begun = new Map<string, number>();
  readonly #running = new Map<string, number>();
  readonly #admitted = new Map<string, number>();
  readonly #serverNow: (() => number) | null;

  /** @param options `serverNow`: the server's clock, where the storage has one; `start`: when the world began */
  constructor(worldStorage: WorldStorage, options: { serverNow: (() => number) | null; start: number }) {
    this.#storage = worldStorage;
    this.#serverNow = options.serverNow;
    this.schedules = new ScheduleLedger((what) => this.fail(what), options);
    worldStorage.watch({
      jobChanged: (before, after) => this.#jobChanged(before, after),
      scheduleChanged: (before, after) => this.schedules.changed(before, after),
      recorded: (outcome) => this.schedules.recorded(outcome),
    });
  }

  /** Reports a violation. */
  fail(what: string): void {
    const { host, method } = this.#current;
    this.violations.push(`${what} [${method} of ${host}]`);
  }

  /**
   * The storage is about to execute a request.
   *
   * @param request `edited`: schedules that a client was editing through this host when it was sent; closing out what they
   *   had missed moves them by revision, without a lease
   * @returns to be called with its reply
   */
  beginRequest(
    current: Pick<CurrentRequest, "host" | "method" | "request"> & Partial<CurrentRequest>,
  ): (reply: unknown) => void {
    const { method, request } = current;
    this.#current = { edited: NOTHING, sent: 0, ...current };
    const claims = method === "save" ? new Map(this.#claims) : null;
    return (reply) => {
      this.#storage.reportChanges();
      this.schedules.done(this.#current, reply);
      if (method === "claim") this.#claimed(reply as ClaimReply);
      else if (method === "save") this.#saved(request as SaveRequest, reply as SaveReply, claims!);
      else if (method === "retry") this.#retried(request as RetryRequest, reply as string[]);
      else if (method === "enqueue") this.#enqueued(reply as EnqueueReply);
      // The piggybacked claim saw what the write before it had saved.
      if (method === "save" || method === "enqueue") this.#piggybacked(request as SaveRequest, reply as SaveReply);
    };
  }

  /** Whether the lease or a claim under which a request was sent belongs to another by now. */
  isStale(method: string, request: unknown): boolean {
    if (method === "save")
      return (request as SaveRequest).writes.some(({ id, token }) => this.#claims.get(id) !== token);
    const { lease } = request as FireRequest;
    return lease !== null && !this.schedules.leads(lease);
  }

  /** The claim that the storage is executing, by itself or piggybacked on a write. */
  #claimRequest(): ClaimRequest | null {
    const { method, request } = this.#current;
    if (method === "claim") return request as ClaimRequest;
    return method === "save" || method === "enqueue" ? ((request as SaveRequest).claim ?? null) : null;
  }

  // ---------------------------------------------------------------- steps, reported by the scripts

  /** A step's function begins. @returns how often it began before */
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
    return `${jobId} ${this.#removals.get(jobId) ?? 0} ${fence}`;
  }

  /** A job reaches a `throw` of its script. @returns how often it reached it before */
  reachesThrow(jobId: string, place: string): number {
    const key = `${jobId} at ${place}`;
    const before = this.#begun.get(key) ?? 0;
    this.#begun.set(key, before + 1);
    return before;
  }

  // ---------------------------------------------------------------- rows

  #jobChanged(before: Readonly<JobRecord> | null, after: Readonly<JobRecord> | null): void {
    const { method } = this.#current;
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

  /** Checks a claim of a job that is not available yet: allowed only within the error of the hosts' clocks. */
  #early(row: Readonly<JobRecord>): void {
    const now = this.#serverNow?.();
    if (now !== undefined && row.availableAt! > now + CLOCK_ERROR_MS)
      this.fail(`job ${row.id} was claimed ${row.availableAt! - now} ms early`);
  }

  #inserted(row: Readonly<JobRecord>): void {
    const { method, request } = this.#current;
    if (row.state !== "ready" || row.attempt !== 0) this.fail(`job ${row.id} was not inserted as new`);
    if (row.limitKey !== null) this.#count(this.#admitted, row.limitKey, counts(row));
    if (row.schedule !== null && (method === "fire" || method === "putSchedules"))
      this.schedules.becameJob(row, (request as FireRequest).now);
  }

  #removed(row: Readonly<JobRecord>): void {
    const { method, request } = this.#current;
    const { finishedBefore, failedBefore } = request as PurgeRequest;
    const before = row.state === "failed" ? failedBefore : finishedBefore;
    const parent = row.parentId === null ? undefined : this.#storage.job(row.parentId);
    const may =
      method === "purge" && isFinished(row.state) && row.finishedAt! < before && (!parent || isFinished(parent.state));
    // The same id may be used again by another job: a child that its parent starts anew.
    this.#done.delete(row.id);
    this.#removals.set(row.id, (this.#removals.get(row.id) ?? 0) + 1);
    if (!may) this.fail(`job ${row.id} was removed although it is ${row.state}`);
  }

  #moves(before: Readonly<JobRecord>, after: Readonly<JobRecord>): void {
    const { method } = this.#current;
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

  /** Checks that a running job is moved under its claim, or that the claim has expired. */
  #leaves(row: Readonly<JobRecord>): void {
    const { method, request } = this.#current;
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
    const settings = this.#storage.queue(row.queue);
    const running = this.#running.get(row.queue) ?? 0;
    // A limit that was lowered meanwhile applies to the next claim; it takes no claim back.
    if (settings?.paused) this.fail(`job ${row.id} was claimed from the paused queue ${row.queue}`);
    if (settings?.concurrency != null && running > settings.concurrency)
      this.fail(`queue ${row.queue} runs ${running} jobs, more than ${settings.concurrency}`);
  }

  #count(counts: Map<string, number>, key: string, change: number): void {
    if (change === 0) return;
    const count = (counts.get(key) ?? 0) + change;
    counts.set(key, count);
    if (counts !== this.#admitted || change < 0) return;
    const concurrency = this.#storage.concurrencyOf(key);
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
    const { sent } = this.#current;
    for (const { id } of saved) {
      const key = `${op} ${id}`;
      const write = writes.find((one) => one.id === id)!;
      if (this.#ops.has(key)) continue;
      this.#ops.add(key);
      if (claims.get(id) !== write.token) {
        this.fail(`job ${id} was written under a lost claim`);
        continue;
      }
      const done = this.#done.get(id) ?? new Map<string, { output: string | null; sent: number }>();
      this.#done.set(id, done);
      for (const name of write.forget) done.delete(name);
      for (const step of write.steps) {
        const before = done.get(step.name);
        // An older write of the same claim that arrives late must leave the step as it is.
        if (before && sent < before.sent) continue;
        if (before && (step.state !== "done" || before.output !== step.output)) {
          this.fail(`step "${step.name}" of ${id} was done and is written again as ${step.state}`);
        }
        if (step.state === "done") done.set(step.name, before ?? { output: step.output, sent });
      }
    }
  }

  #retried({ jobs }: RetryRequest, ids: string[]): void {
    for (const { id, forget } of jobs) {
      if (ids.includes(id)) for (const name of forget) this.#done.get(id)?.delete(name);
    }
  }

  #enqueued({ jobs }: EnqueueReply): void {
    for (const { id } of jobs) if (!this.#storage.job(id)) this.fail(`job ${id} was acknowledged and is not stored`);
  }

  #piggybacked({ claim }: SaveRequest, { claimed }: SaveReply): void {
    if (claimed) this.#claimed(claimed);
    if ((claim === undefined) !== (claimed === undefined)) this.fail("a piggybacked claim was not answered");
  }
}

/** Whether a job counts against its limit. */
function counts(row: Readonly<JobRecord>): number {
  return row.limitKey !== null && !row.held && !isFinished(row.state) ? 1 : 0;
}

function same(a: Readonly<JobRecord>, b: Readonly<JobRecord>): boolean {
  for (const key of Object.keys(a) as (keyof JobRecord)[]) if (a[key] !== b[key]) return false;
  return true;
}
