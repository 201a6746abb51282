/**
 * What could be asked next? Random requests to a storage, drawn from a seed, that make sense often enough to matter.
 *
 * Purely random requests would mostly miss: a token nobody holds, a job nobody stored. The world therefore remembers what
 * the replies told it (claims, revisions, the lease) and asks with it, with what is out of date, and with nonsense, in
 * turn. Names come from small sets, so that requests collide; time only moves on, often not at all, sometimes far enough
 * for claims and leases to run out.
 */
import type {
  ClaimReply,
  JobLimit,
  JobRecord,
  JobTransition,
  NewJob,
  OccurrenceRecord,
  ScheduleRecord,
  StepRecord,
  Storage,
} from "../../storage/port.ts";
import type { Random } from "../random.ts";

/** Methods of the port that take a request. */
export type Method = Exclude<
  { [M in keyof Storage]: Storage[M] extends (request: never) => Promise<unknown> ? M : never }[keyof Storage],
  undefined | "listen" | "exportPage" | "importPage" | "close" | "migrate"
>;

/** One call of the port. */
export interface Call {
  method: Method;
  request: Record<string, unknown>;
  /** It was made before, word for word: a second delivery. */
  again: boolean;
}

const QUEUES = ["a", "b", "c"];
const TASKS = ["t1", "t2", "t3"];
const SCHEDULES = ["s1", "s2", "s3", "s4", "s5"];
const HOLDERS = ["h1", "h2", "h3"];
const UNFINISHED = ["ready", "running", "waiting"];
const SECOND = 1000;
const HOUR = 3_600_000;

/** What is known of a stored world, and the source of requests to it. */
export class World {
  now = 1_767_225_600_000;
  readonly #random: Random;
  #count = 0;
  #jobs: string[] = [];
  #claims: { id: string; token: string; arrivals: number }[] = [];
  #schedules = new Map<string, ScheduleRecord>();
  #leases: { holder: string; token: number }[] = [];
  #sent: Call[] = [];
  /** Newest first, as far as they were listed. */
  #unfinished: string[] = [];
  /** Of the keys of limits. */
  readonly #concurrency: (number | null)[] = [1, 2, null];
  /** Ids of jobs that the call being drawn inserts. */
  readonly #asked = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Draws the next call. */
  next(): Call {
    const random = this.#random;
    // A second delivery comes soon after the first, as lost replies make them.
    if (random.chance(0.08) && this.#sent.length > 0) {
      const call = this.#sent[this.#sent.length - 1 - random.below(Math.min(3, this.#sent.length))]!;
      const { claim, ...request } = call.request;
      // A claim whose jobs were settled meanwhile claims others under its token, and at the same instant its start is
      // counted once: nobody who had the reply asks again.
      if (claim || call.method === "claim") this.now++;
      const now = this.now;
      // The clock of a second delivery is the present one: storages need not go back in time.
      return { ...call, request: { ...request, now, ...(claim ? { claim: { ...claim, now } } : {}) }, again: true };
    }
    if (random.chance(0.5)) this.now += random.below(40);
    if (random.chance(0.04)) this.now += random.below(40 * SECOND);
    const [method, request] = this.#draw();
    const call: Call = { method, request, again: false };
    if (RESENT.has(method)) this.#sent.push(call);
    if (this.#sent.length > 3) this.#sent.shift();
    return call;
  }

  /** Learns from the reply to a call. */
  learn({ method, request }: Call, reply: unknown): void {
    if (method === "claim") {
      this.#learnClaims(request, reply as ClaimReply);
    } else if (request["claim"]) {
      this.#learnClaims(request["claim"] as Record<string, unknown>, (reply as { claimed: ClaimReply }).claimed);
    } else if (method === "beginTick") {
      const { lease } = reply as { lease: { holder: string; token: number } | null };
      if (lease) this.#leases.push(lease);
      while (this.#leases.length > 4) this.#leases.shift();
    } else if (method === "listJobs" && request["states"] === UNFINISHED) {
      this.#unfinished = (reply as JobRecord[]).map(({ id }) => id);
    } else if (method === "listSchedules" && request["minSkips"] === undefined) {
      this.#schedules = new Map((reply as ScheduleRecord[]).map((record) => [record.name, record]));
    }
  }

  #learnClaims(request: Record<string, unknown>, { jobs }: ClaimReply): void {
    for (const { id, arrivals } of jobs) this.#claims.push({ id, token: String(request["token"]), arrivals });
    while (this.#claims.length > 40) this.#claims.shift();
  }

  #draw(): [Method, Record<string, unknown>] {
    const random = this.#random;
    const now = this.now;
    const op = `op${++this.#count}`;
    this.#asked.clear();
    switch (this.#pickKind()) {
      case "enqueue":
        return ["enqueue", { op, now, jobs: this.#newJobs(1 + random.below(4)), ...this.#piggyback(op) }];
      case "claim":
        return ["claim", this.#claim(op)];
      case "renew":
        return [
          "renew",
          { now, claimMs: 10 * SECOND, claims: this.#someClaims().map(({ id, token }) => ({ id, token })) },
        ];
      case "save":
        return [
          "save",
          {
            op,
            now,
            claimMs: 20 * SECOND,
            writes: this.#someClaims().map((claim) => this.#write(claim)),
            ...this.#piggyback(op),
          },
        ];
      case "signal":
        return ["signal", { now, signals: this.#signals() }];
      case "cancel":
        return ["cancel", { op, now, ids: this.#backlog() ?? this.#someJobs(2), error: `"${op}"` }];
      case "retry":
        return [
          "retry",
          {
            op,
            now,
            jobs: this.#someJobs(2).map((id) => ({
              id,
              forget: random.chance(0.3) ? ["x", "y"] : [],
              notes: random.chance(0.5) ? `"${op}"` : null,
            })),
          },
        ];
      case "beginTick":
        return ["beginTick", this.#beginTick()];
      case "fire":
        return ["fire", this.#fire(op)];
      case "resign":
        return ["resign", { ...this.#term(), now }];
      case "putSchedules":
        return ["putSchedules", this.#putSchedules(op)];
      case "putQueues":
        return ["putQueues", { now, queues: [this.#queue()] }];
      case "purge":
        return ["purge", this.#purge()];
      case "listSchedules":
        return ["listSchedules", random.chance(0.7) ? { limit: 100 } : { minSkips: random.below(5), limit: 100 }];
      case "listOccurrences":
        return [
          "listOccurrences",
          { schedule: random.pick(SCHEDULES), newestFirst: random.chance(0.5), limit: 1 + random.below(20) },
        ];
      case "listJobs":
        return ["listJobs", this.#listJobs()];
      case "getJob":
        return ["getJob", { id: this.#someJobs(1)[0] ?? "absent" }];
      default:
        return ["stats", { now }];
    }
  }

  #pickKind(): string {
    let draw = this.#random.below(TOTAL_WEIGHT);
    for (const [kind, weight] of WEIGHTS) {
      draw -= weight;
      if (draw < 0) return kind;
    }
    return "stats";
  }

  #newJobs(count: number, parentId: string | null = null): NewJob[] {
    return Array.from({ length: count }, () => this.#newJob({ parentId }));
  }

  #newJob(given: Partial<NewJob>): NewJob {
    const random = this.#random;
    const known = random.chance(0.03) ? this.#someJobs(1)[0] : undefined;
    // Two jobs with one id in one request mean nothing.
    const id = known && !this.#asked.has(known) ? known : `j${String(++this.#count).padStart(7, "0")}`;
    this.#asked.add(id);
    this.#jobs.push(id);
    if (this.#jobs.length > 60) this.#jobs.splice(0, 20);
    return {
      id,
      task: random.pick(TASKS),
      queue: random.pick(QUEUES),
      priority: random.chance(0.3) ? random.below(5) - 2 : 0,
      availableAt: this.now + (random.chance(0.3) ? random.below(5 * SECOND) : -random.below(10)),
      expiresAt: random.chance(0.2) ? this.now + random.below(10 * SECOND) : null,
      key: random.chance(0.15) ? `k${random.below(12)}` : null,
      input: JSON.stringify({ n: this.#count, text: "é\"\\'\n" }),
      options: "{}",
      schedule: null,
      scheduledAt: null,
      parentId: null,
      limit: random.chance(0.3) ? this.#limit() : null,
      ...given,
    };
  }

  /**
   * The settings of a key stay for a while: one batch should not often carry two of them.
   */
  #limit(): JobLimit {
    const n = this.#random.below(3);
    if (this.#random.chance(0.05)) this.#concurrency[n] = this.#random.pick([1, 2, 4, null]);
    const concurrency = this.#concurrency[n] ?? null;
    return { key: `l${n}`, concurrency, rate: n === 0 ? null : { count: 3, perMs: 2 * SECOND } };
  }

  #claim(token: string): Record<string, unknown> {
    const random = this.#random;
    const queues = QUEUES.filter(() => random.chance(0.7));
    if (random.chance(0.3)) queues.reverse();
    return {
      token,
      worker: random.pick(HOLDERS),
      queues: queues.length > 0 ? queues : ["a"],
      tasks: random.chance(0.5) ? null : TASKS.filter(() => random.chance(0.7)),
      limit: 1 + random.below(5),
      now: this.now,
      claimMs: random.chance(0.2) ? 50 : 20 * SECOND,
    };
  }

  /** A claim piggybacked on a write, now and then. */
  #piggyback(op: string): Record<string, unknown> {
    return this.#random.chance(0.3) ? { claim: this.#claim(`${op} piggyback`) } : {};
  }

  /** Some of the claims that are known, each job once; old ones among them. */
  #someClaims(): { id: string; token: string; arrivals: number }[] {
    const random = this.#random;
    const found = new Map<string, { id: string; token: string; arrivals: number }>();
    const count = 1 + random.below(3);
    for (let i = 0; i < count && this.#claims.length > 0; i++) {
      const recent = Math.min(this.#claims.length, random.chance(0.8) ? 8 : 40);
      const claim = this.#claims[this.#claims.length - 1 - random.below(recent)]!;
      found.set(claim.id, random.chance(0.03) ? { ...claim, token: "stale" } : claim);
    }
    return [...found.values()];
  }

  #write({ id, token, arrivals }: { id: string; token: string; arrivals: number }): Record<string, unknown> {
    const random = this.#random;
    const steps = ["x", "y", "z"].filter(() => random.chance(0.3)).map((name) => this.#step(id, name));
    const names = new Set(steps.map(({ name }) => name));
    const transition = random.chance(0.25) ? null : this.#transition(arrivals);
    // Nobody begins children in the write that fails: whether their limit counts them is left open. Jobs of their own may.
    const lives = transition === null || !["failed", "cancelled", "expired"].includes(transition.to);
    const write = {
      id,
      token,
      steps,
      forget: ["x", "w"].filter((name) => !names.has(name) && random.chance(0.1)),
      children: random.chance(0.25) ? this.#newJobs(1 + random.below(2), lives && random.chance(0.7) ? id : null) : [],
      transition,
    };
    return {
      ...write,
      ...(random.chance(0.2) ? { progress: random.chance(0.2) ? null : `"${this.#count}"` } : {}),
      ...(random.chance(0.1) ? { notes: `"${this.#count}"` } : {}),
    };
  }

  #step(jobId: string, name: string): StepRecord {
    const random = this.#random;
    const state = random.pick(["done", "pending", "failed"] as const);
    return {
      jobId,
      name,
      kind: random.pick(["step", "sleep", "wait", "invoke"] as const),
      state,
      seq: state === "pending" ? null : random.below(9),
      tries: random.below(3),
      attempt: random.chance(0.8) ? random.below(3) : null,
      output: state === "done" ? `"${this.#count}"` : null,
      error: state === "failed" ? '"e"' : null,
      wakeAt: state === "pending" ? this.now + random.below(9999) : null,
      childId: random.chance(0.2) ? "child" : null,
      signalKey: random.chance(0.2) ? "key" : null,
      startedAt: this.now,
      finishedAt: state === "pending" ? null : this.now,
    };
  }

  #transition(arrivals: number): JobTransition {
    const random = this.#random;
    const later = this.now + random.below(3 * SECOND);
    switch (random.below(8)) {
      case 0:
      case 1:
        return { to: "completed", result: `"${this.#count}"` };
      case 2:
        return { to: "failed", error: '"failed"' };
      case 3:
        return { to: random.pick(["cancelled", "expired"] as const), error: '"ended"' };
      case 4:
        return { to: "ready", availableAt: later, resuming: true, error: null };
      case 5:
        return { to: "ready", availableAt: later, resuming: false, error: '"try again"' };
      default:
        return {
          to: "waiting",
          availableAt: random.chance(0.5) ? later : null,
          arrivals: arrivals + (random.chance(0.1) ? 1 : 0),
        };
    }
  }

  #someJobs(count: number): string[] {
    const found = new Set<string>();
    for (let i = 0; i < count && this.#jobs.length > 0; i++) found.add(this.#random.pick(this.#jobs));
    return [...found];
  }

  #signals(): { jobId: string; name: string; key: string; payload: string }[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, () => ({
      jobId: random.chance(0.05) ? "absent" : (this.#someJobs(1)[0] ?? "absent"),
      name: random.pick(["n", "m"]),
      key: `k${random.below(30)}`,
      payload: `"${this.#count}"`,
    }));
  }

  #term(): { holder: string; token: number } {
    const random = this.#random;
    if (this.#leases.length > 0 && random.chance(0.9)) {
      const { holder, token } = random.chance(0.7) ? this.#leases[this.#leases.length - 1]! : random.pick(this.#leases);
      return { holder, token };
    }
    return { holder: random.pick(HOLDERS), token: 1 + random.below(5) };
  }

  #beginTick(): Record<string, unknown> {
    const random = this.#random;
    const term = random.chance(0.5) ? this.#term() : { holder: random.pick(HOLDERS), token: null };
    return { ...term, now: this.now, ttlMs: 5 * SECOND, maxDue: 1 + random.below(6), resignIfIdle: random.chance(0.3) };
  }

  #fire(op: string): Record<string, unknown> {
    const random = this.#random;
    const records = [...this.#schedules.values()].filter(() => random.chance(0.5));
    return {
      op,
      now: this.now,
      lease: random.chance(0.3) ? null : this.#term(),
      firings: records.map((record) => this.#firing(record)),
      resign: random.chance(0.1),
    };
  }

  #firing(record: ScheduleRecord): Record<string, unknown> {
    const random = this.#random;
    const at = record.nextAt ?? this.now;
    const outcomes = this.#outcomes(record.name, at);
    const state = random.chance(0.9) ? "active" : random.pick(["paused", "ended", "broken"] as const);
    return {
      name: record.name,
      revision: record.revision,
      state,
      nextAt: state === "ended" ? null : at + random.below(4 * SECOND),
      fired: record.fired + 1,
      skips: random.below(5),
      lastAt: at,
      note: state === "active" ? null : "note",
      cancelUnfinished: random.chance(0.1),
      jobs: this.#jobsOf(record.name, outcomes),
      occurrences: outcomes,
    };
  }

  /** Outcomes from an occurrence on: fired ones, skipped ones, runs. Now and then over some that are decided. */
  #outcomes(schedule: string, from: number): OccurrenceRecord[] {
    const random = this.#random;
    let at = from - (random.chance(0.1) ? SECOND : 0);
    return Array.from({ length: random.below(4) }, () => {
      const skipped = random.chance(0.3);
      const count = skipped ? 1 + random.below(4) : 1;
      const outcome: OccurrenceRecord = {
        schedule,
        at,
        untilAt: at + (count - 1) * 10,
        count,
        jobId: skipped ? null : `j${String(++this.#count).padStart(7, "0")}`,
        reason: skipped ? random.pick(["overlap", "paused", "expired", "catch-up"] as const) : null,
        recordedAt: this.now,
      };
      at += count * 10;
      return outcome;
    });
  }

  #jobsOf(schedule: string, outcomes: OccurrenceRecord[]): NewJob[] {
    return outcomes
      .filter(({ jobId }) => jobId !== null)
      .map(({ jobId, at }) => {
        this.#jobs.push(jobId!);
        return this.#newJob({ id: jobId!, schedule, scheduledAt: at, key: null });
      });
  }

  #putSchedules(op: string): Record<string, unknown> {
    const random = this.#random;
    const names = SCHEDULES.filter(() => random.chance(0.3));
    const [gone, written] = random.chance(0.2) ? [names.slice(0, 1), names.slice(1)] : [[], names];
    const revisionOf = (name: string): number | null => {
      const revision = this.#schedules.get(name)?.revision ?? null;
      return random.chance(0.1) ? (revision ?? 0) + 1 : revision;
    };
    return {
      op,
      now: this.now,
      puts: written.map((name) => {
        const outcomes = random.chance(0.2) ? this.#outcomes(name, this.now - HOUR) : [];
        return {
          revision: revisionOf(name),
          record: this.#schedule(name),
          jobs: this.#jobsOf(name, outcomes),
          occurrences: outcomes,
        };
      }),
      removes: gone.map((name) => ({ name, revision: revisionOf(name) ?? 1 })),
      owner: random.chance(0.3)
        ? { owner: random.pick(["o1", "o2"]), generation: random.below(this.#count + 1) }
        : null,
    };
  }

  #schedule(name: string): ScheduleRecord {
    const random = this.#random;
    const state = random.chance(0.8) ? "active" : random.pick(["paused", "ended", "broken"] as const);
    return {
      name,
      definition: JSON.stringify({ n: this.#count }),
      state,
      nextAt: state === "ended" ? null : this.now + random.below(3 * SECOND) - SECOND,
      revision: 0,
      fired: random.below(100),
      skips: random.below(5),
      failures: 0,
      pauseAfterFailures: random.chance(0.3) ? 1 + random.below(3) : null,
      watchesJobs: random.chance(0.4),
      lastAt: random.chance(0.5) ? this.now : null,
      note: state === "active" ? null : "note",
      owner: random.chance(0.3) ? "o1" : null,
      createdAt: this.now,
      updatedAt: this.now,
    };
  }

  #queue(): Record<string, unknown> {
    const random = this.#random;
    return {
      name: random.pick(QUEUES),
      paused: random.chance(0.15),
      concurrency: random.chance(0.3) ? 1 + random.below(4) : null,
      rate: random.chance(0.3) ? { count: 1 + random.below(4), perMs: 500 + random.below(4) * 500 } : null,
    };
  }

  #purge(): Record<string, unknown> {
    const random = this.#random;
    return {
      now: this.now,
      finishedBefore: this.now - random.below(60 * SECOND),
      failedBefore: this.now - random.below(60 * SECOND),
      occurrencesBefore: this.now - random.below(HOUR),
      // Never cut short: which of several that ended in the same ms go first is left open.
      limit: 1000,
    };
  }

  /**
   * The older ones of many unfinished jobs; undefined while there are few. A claim frees only so many jobs whose time has
   * come (which of more is left open), so they must not pile up.
   */
  #backlog(): string[] | undefined {
    if (this.#unfinished.length < 50) return undefined;
    return this.#unfinished.splice(25);
  }

  #listJobs(): Record<string, unknown> {
    const random = this.#random;
    if (random.chance(0.4)) return { states: UNFINISHED, limit: 500 };
    return {
      ...(random.chance(0.3) ? { states: ["ready", "failed", "waiting"] } : {}),
      ...(random.chance(0.3) ? { queue: random.pick(QUEUES) } : {}),
      ...(random.chance(0.2) ? { task: random.pick(TASKS) } : {}),
      ...(random.chance(0.2) ? { schedule: random.pick(SCHEDULES) } : {}),
      ...(random.chance(0.2) ? { before: this.#someJobs(1)[0] ?? "j" } : {}),
      limit: 1 + random.below(30),
    };
  }
}

/** How often each kind of call comes. */
const WEIGHTS: readonly (readonly [string, number])[] = [
  ["enqueue", 16],
  ["claim", 22],
  ["save", 26],
  ["renew", 3],
  ["signal", 8],
  ["cancel", 3],
  ["retry", 3],
  ["beginTick", 8],
  ["fire", 8],
  ["resign", 1],
  ["putSchedules", 4],
  ["putQueues", 2],
  ["purge", 2],
  ["listSchedules", 8],
  ["listOccurrences", 2],
  ["listJobs", 4],
  ["getJob", 4],
  ["stats", 3],
];
const TOTAL_WEIGHT = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);

/** What is sent again: writes that may be sent twice. */
const RESENT: ReadonlySet<Method> = new Set<Method>([
  "enqueue",
  "claim",
  "save",
  "signal",
  "cancel",
  "retry",
  "fire",
  "putSchedules",
]);
