/**
 * What does a case work with? One fresh storage, an invented time, and requests that name only what matters.
 *
 * Time is a number that cases hand to the storage; nothing here waits. Servers report a time of their own in replies:
 * no case compares it with the invented one.
 */
import type {
  BeginTickReply,
  BeginTickRequest,
  ClaimedJob,
  ClaimReply,
  ClaimRequest,
  EnqueueReply,
  FireReply,
  FireRequest,
  Firing,
  JobTransition,
  JobWrite,
  NewJob,
  OccurrenceRecord,
  PutSchedulesReply,
  PutSchedulesRequest,
  QueueRecord,
  SaveReply,
  ScheduleRecord,
  StepRecord,
  Storage,
} from "../../storage/port.ts";
import { ok } from "./assert.ts";

/** The instant at which every case begins: 2026-01-01T00:00:00Z. */
export const T0 = 1_767_225_600_000;

/** One case of the kit. */
export interface Case {
  /** Subject and behaviour; unique in the kit, so that it can be named in a list of skips. */
  readonly title: string;
  /** What the storage must have for the case to make sense. */
  readonly needs?: "reopen" | "listen" | "statements" | "serverClock" | "durable";
  run(rig: Rig): Promise<void>;
}

/** A fresh storage and how to reach it again. */
export interface ConformanceTarget {
  storage: Storage;
  /** Opens another connection to the same data; absent where that is impossible. */
  reopen?: () => Promise<Storage>;
  /** Removes the data and everything that was opened. */
  dispose?: () => Promise<void>;
}

/** A job to insert, with defaults. */
export function newJob(id: string, given: Partial<NewJob> = {}): NewJob {
  return {
    id,
    task: "task",
    queue: "q",
    priority: 0,
    availableAt: T0,
    expiresAt: null,
    key: null,
    input: "null",
    options: "{}",
    schedule: null,
    scheduledAt: null,
    parentId: null,
    limit: null,
    ...given,
  };
}

/** A schedule to put, with defaults: active and due at `T0`. */
export function newSchedule(name: string, given: Partial<ScheduleRecord> = {}): ScheduleRecord {
  return {
    name,
    definition: "{}",
    state: "active",
    nextAt: T0,
    revision: 0,
    fired: 0,
    skips: 0,
    failures: 0,
    pauseAfterFailures: null,
    watchesJobs: false,
    lastAt: null,
    note: null,
    owner: null,
    createdAt: T0,
    updatedAt: T0,
    ...given,
  };
}

/** A step to save, with defaults: done. */
export function newStep(jobId: string, name: string, given: Partial<StepRecord> = {}): StepRecord {
  return {
    jobId,
    name,
    kind: "step",
    state: "done",
    seq: 0,
    tries: 1,
    attempt: 1,
    output: '"out"',
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: T0,
    finishedAt: T0,
    ...given,
  };
}

/** The outcome of a fired occurrence, or with `reason` of a skipped one. */
export function newOutcome(schedule: string, at: number, given: Partial<OccurrenceRecord> = {}): OccurrenceRecord {
  return { schedule, at, untilAt: at, count: 1, jobId: null, reason: null, recordedAt: T0, ...given };
}

/** A queue's settings, with defaults: no limits. */
export function newQueue(name: string, given: Partial<QueueRecord> = {}): QueueRecord {
  return { name, paused: false, concurrency: null, rate: null, ...given };
}

/** A fresh storage with short ways to ask it. */
export class Rig {
  readonly storage: Storage;
  /** The invented time; cases move it. */
  now: number = T0;
  /** What `open` gave for this case. */
  readonly target: ConformanceTarget;
  readonly #more: () => Promise<ConformanceTarget>;
  #ops = 0;

  /** @param more opens another fresh storage, which is disposed of with this one */
  constructor(target: ConformanceTarget, more: () => Promise<ConformanceTarget>) {
    this.storage = target.storage;
    this.target = target;
    this.#more = more;
  }

  /** Opens another fresh and empty storage. */
  async another(): Promise<Rig> {
    const rig = new Rig(await this.#more(), this.#more);
    await rig.storage.migrate({ now: this.now });
    return rig;
  }

  /** Opens another connection to the same data. */
  async reopen(): Promise<Storage> {
    ok(this.target.reopen !== undefined, "the case needs a second connection");
    const storage = await this.target.reopen!();
    await storage.migrate({ now: this.now });
    return storage;
  }

  /** A name for an operation or a claim, new each time. */
  op(): string {
    return `op-${++this.#ops}`;
  }

  enqueue(...jobs: NewJob[]): Promise<EnqueueReply> {
    return this.storage.enqueue({ op: this.op(), now: this.now, jobs });
  }

  claim(given: Partial<ClaimRequest> = {}): Promise<ClaimReply> {
    return this.storage.claim({
      token: this.op(),
      worker: "worker",
      queues: ["q"],
      tasks: null,
      limit: 10,
      now: this.now,
      claimMs: 30_000,
      ...given,
    });
  }

  /** Claims, and gives only the ids. */
  async claimIds(given: Partial<ClaimRequest> = {}): Promise<string[]> {
    return (await this.claim(given)).jobs.map(({ id }) => id);
  }

  /** Enqueues a job and claims it. */
  async running(id: string, given: Partial<NewJob> = {}): Promise<ClaimedJob> {
    await this.enqueue(newJob(id, given));
    const { jobs } = await this.claim({ queues: [given.queue ?? "q"], tasks: [given.task ?? "task"] });
    const job = jobs.find((claimed) => claimed.id === id);
    ok(job !== undefined, `the job ${id} should have been claimed`);
    return job!;
  }

  /** What a running job writes, with defaults: nothing. */
  write(job: Pick<ClaimedJob, "id" | "claimToken">, given: Partial<JobWrite> = {}): JobWrite {
    return { id: job.id, token: job.claimToken!, steps: [], forget: [], children: [], transition: null, ...given };
  }

  save(writes: JobWrite[], given: { op?: string; claimMs?: number } = {}): Promise<SaveReply> {
    return this.storage.save({ op: this.op(), now: this.now, claimMs: 30_000, writes, ...given });
  }

  /** Lets a running job go on. */
  move(job: Pick<ClaimedJob, "id" | "claimToken">, transition: JobTransition): Promise<SaveReply> {
    return this.save([this.write(job, { transition })]);
  }

  complete(job: Pick<ClaimedJob, "id" | "claimToken">): Promise<SaveReply> {
    return this.move(job, { to: "completed", result: '"ok"' });
  }

  fail(job: Pick<ClaimedJob, "id" | "claimToken">): Promise<SaveReply> {
    return this.move(job, { to: "failed", error: '{"message":"no"}' });
  }

  /** The stored job; fails when there is none. */
  async job(id: string): Promise<ClaimedJob> {
    const job = await this.storage.getJob({ id });
    ok(job !== null, `the job ${id} should be stored`);
    return job!;
  }

  /** States of jobs, in the order asked. */
  async states(...ids: string[]): Promise<string[]> {
    const states: string[] = [];
    for (const id of ids) states.push((await this.storage.getJob({ id }))?.state ?? "absent");
    return states;
  }

  /** Creates schedules. */
  async register(...records: ScheduleRecord[]): Promise<void> {
    const reply = await this.put({
      puts: records.map((record) => ({ revision: null, record, jobs: [], occurrences: [] })),
    });
    ok(reply.written.length === records.length, "the schedules should have been created");
  }

  put(given: Partial<PutSchedulesRequest>): Promise<PutSchedulesReply> {
    return this.storage.putSchedules({ op: this.op(), now: this.now, puts: [], removes: [], owner: null, ...given });
  }

  /** The stored schedule; fails when there is none. */
  async schedule(name: string): Promise<ScheduleRecord> {
    const [record] = await this.storage.listSchedules({ names: [name], limit: 1 });
    ok(record !== undefined, `the schedule ${name} should be stored`);
    return record!;
  }

  tick(given: Partial<BeginTickRequest> = {}): Promise<BeginTickReply> {
    return this.storage.beginTick({
      holder: "a",
      token: null,
      now: this.now,
      ttlMs: 15_000,
      maxDue: 100,
      resignIfIdle: false,
      ...given,
    });
  }

  /** Acquires the lease, and gives its token. */
  async lead(holder: string = "a"): Promise<{ holder: string; token: number }> {
    const reply = await this.tick({ holder, maxDue: 0 });
    ok(reply.leads && reply.lease?.holder === holder, `${holder} should lead`);
    return { holder, token: reply.lease!.token };
  }

  /** A schedule moving on from an occurrence to the next, an hour later, with one job `${name}-${at}`. */
  firing(schedule: ScheduleRecord, given: Partial<Firing> = {}): Firing {
    const at = schedule.nextAt!;
    const id = jobIdOf(schedule.name, at);
    return {
      name: schedule.name,
      revision: schedule.revision,
      state: "active",
      nextAt: at + 3_600_000,
      fired: schedule.fired + 1,
      skips: 0,
      lastAt: at,
      note: null,
      cancelUnfinished: false,
      jobs: [newJob(id, { schedule: schedule.name, scheduledAt: at })],
      occurrences: [newOutcome(schedule.name, at, { jobId: id })],
      ...given,
    };
  }

  fire(given: Partial<FireRequest>): Promise<FireReply> {
    return this.storage.fire({ op: this.op(), now: this.now, lease: null, firings: [], resign: false, ...given });
  }

  setQueues(...queues: QueueRecord[]): Promise<void> {
    return this.storage.putQueues({ now: this.now, queues });
  }
}

/** The id that {@link Rig.firing} gives to the job of an occurrence. */
export function jobIdOf(schedule: string, at: number): string {
  return `${schedule}-${at - T0}`;
}

/** A reply without the server's time, which no case may compare. */
export function untimed<T extends { time?: number }>(reply: T): Omit<T, "time"> {
  const { time: _, ...rest } = reply;
  return rest;
}
