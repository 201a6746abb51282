/**
 * What does a worker do next: claim jobs, sleep, look for jobs of unknown tasks, or stop?
 *
 * This is the decision alone, without I/O and without a clock: the worker reports events (a claim was answered, a job
 * ended, jobs were enqueued) and asks {@link ClaimPolicy.next}. It also decides which batches carry a piggybacked claim.
 *
 * - At most one claim is in flight, whichever loop or batch it belongs to, so that together they never bring more jobs
 *   than there is room for.
 * - A claim is sent when the {@link PollTimer} is due and there is room for a job.
 * - A claim is piggybacked on a batch that makes jobs claimable for this worker, and on the batch with which the last
 *   running job of a pass ends, because the pass must know whether any job is left.
 * - A pass stops when no job runs and the last claim, sent after the last job ended, left nothing to claim.
 */
import type { Moment } from "../base/clock.ts";
import { type ClaimResult, PollTimer } from "./poll_timer.ts";

/** A loop that starts claimed jobs. */
export interface Loop {
  /** `serve` lasts until it is stopped; `pass` until no job is left that can run now. */
  readonly kind: "serve" | "pass";
  /** Monotonic time at which it stops; `Infinity`: no limit. */
  readonly untilMs: number;
  /** Stops it when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What a loop does next. */
export type Action =
  | { readonly do: "claim"; readonly limit: number }
  /** Sleep for so long, or until something happens. */
  | { readonly do: "sleep"; readonly ms: number }
  /** Look for ready jobs of unknown tasks. */
  | { readonly do: "look" }
  /** `more`: jobs may be left that could run now. */
  | { readonly do: "stop"; readonly more: boolean };

/** A batch on which a claim could be piggybacked. */
export interface PiggybackOffer {
  /** Whether the batch makes jobs claimable for this worker. */
  readonly wanted: boolean;
  /** How many running jobs end with the batch. */
  readonly ending: number;
}

/** How the run of a job ended, as far as claims are concerned. */
export interface EndedRun {
  /** A piggybacked claim was answered with the job's last write, so it saw everything that this write made claimable. */
  readonly claimed: boolean;
  /** The job's task has a concurrency of its own: claims may have left it out while it was used up. */
  readonly limited: boolean;
  /** The end may make other jobs claimable: the parent's, or the next one of a limit. */
  readonly unblocks: boolean;
  /** When the job itself can be claimed again, epoch ms; null: it is over, or nothing is known. */
  readonly claimableAt: number | null;
  /** The worker gave it back because it shuts down. */
  readonly released: boolean;
}

/** News of jobs that may be claimable. */
export interface Arrival {
  /** Whether they may be in queues and of tasks of this worker. */
  readonly ours: boolean;
  /** They were stored in the batch of a piggybacked claim, which sees them. @default false */
  readonly claimed?: boolean;
  /** When they can be claimed, epoch ms. @default now */
  readonly availableAt?: number;
}

/** For so long after a write of this worker, a notice of the storage may be the echo of that write. */
const ECHO_MS = 25;
/** How much later the worker polls after such a notice; a worker that found jobs polls as soon without a notice. */
const ECHO_DELAY_MS = 100;
/** Between two looks for jobs of unknown tasks. */
const LOOK_MS = 30_000;

const LOOK: Action = { do: "look" };

/** Decides when one worker claims jobs, and how many. */
export class ClaimPolicy {
  readonly #concurrency: number;
  readonly #shared: boolean;
  readonly #pollTimer: PollTimer;
  readonly #loops = new Set<Loop>();
  #running = 0;
  #inFlight = false;
  /** A job ended since the last claim was sent, so its answer is out of date. */
  #stale = false;
  /** The last answered claim found no job. */
  #foundNothing = false;
  #nextAt: number | null = null;
  /** Monotonic time of the next look for jobs of unknown tasks; Infinity: nothing has come since the last. */
  #lookAtMs = Infinity;
  /** Monotonic time of the last write of this worker that the storage announces. */
  #wroteMs = Number.NEGATIVE_INFINITY;

  /** @param options `concurrency`: how many jobs run at once; `shared`: whether other processes may add jobs */
  constructor(options: { readonly concurrency: number; readonly shared: boolean }) {
    this.#concurrency = options.concurrency;
    this.#shared = options.shared;
    this.#pollTimer = new PollTimer(options.shared);
  }

  /** Whether a loop is open that starts what is claimed. */
  get serving(): boolean {
    return this.#loops.size > 0;
  }

  /** Whether a claim was sent and is not answered yet. */
  get inFlight(): boolean {
    return this.#inFlight;
  }

  /** The next instant at which a job could be claimed, epoch ms, as far as is known; null: none. */
  get nextAt(): number | null {
    return this.#nextAt;
  }

  /** Says what a loop does next. */
  next(loop: Loop, now: Moment): Action {
    if (isOver(loop, now)) return { do: "stop", more: this.#unfinished };
    const pass = loop.kind === "pass";
    if (!pass && now.monotonic >= this.#lookAtMs) return LOOK;
    const idle = this.#running === 0 && !this.#inFlight;
    const room = this.#inFlight ? 0 : this.#concurrency - this.#running;
    const waitMs = room > 0 ? this.#pollTimer.waitMs(now, pass && idle && this.#stale) : Infinity;
    if (waitMs === 0) return { do: "claim", limit: room };
    if (pass && idle && !this.#stale) return { do: "stop", more: false };
    const wakeAtMs = Math.min(loop.untilMs, pass ? Infinity : this.#lookAtMs);
    return { do: "sleep", ms: Math.min(waitMs, wakeAtMs - now.monotonic) };
  }

  /** Says how many jobs a claim piggybacked on a batch may bring; 0: no claim goes with it. */
  piggyback({ wanted, ending }: PiggybackOffer, now: Moment): number {
    if (this.#inFlight || this.#pollTimer.failing) return 0;
    let open = false;
    let pass = false;
    for (const loop of this.#loops) {
      open ||= !isOver(loop, now);
      pass ||= loop.kind === "pass";
    }
    if (!open) return 0;
    const due = this.#pollTimer.waitMs(now) === 0;
    const endsPass = pass && ending >= this.#running;
    return wanted || due || endsPass ? Math.max(0, this.#concurrency - this.#running + ending) : 0;
  }

  // ---------------------------------------------------------------- events: loops

  /** A loop begins. */
  opened(loop: Loop, now: Moment): void {
    this.#loops.add(loop);
    this.#pollTimer.hint();
    this.#stale = true;
    this.#foundNothing = false;
    if (loop.kind === "serve") this.#planLook(now);
  }

  /** A loop has stopped. */
  closed(loop: Loop): void {
    this.#loops.delete(loop);
  }

  /** A look for jobs of unknown tasks begins. */
  looking(): void {
    this.#lookAtMs = Infinity;
  }

  /** It is over. @param again whether it must be repeated: a job was too new to be judged, or other processes may add some */
  looked(again: boolean, now: Moment): void {
    if (again || this.#shared) this.#planLook(now);
  }

  // ---------------------------------------------------------------- events: claims

  /** A claim is sent, by itself or piggybacked. */
  sent(): void {
    this.#inFlight = true;
    this.#stale = false;
    this.#pollTimer.sent();
  }

  /** The claim was answered, and its jobs were started. */
  answered(result: ClaimResult, now: Moment): void {
    this.#inFlight = false;
    this.#foundNothing = result.found === 0;
    this.#nextAt = result.nextAt;
    this.#pollTimer.answered(result, now);
  }

  /** The claim failed: the storage is left alone for a while. */
  failed(now: Moment): void {
    this.#inFlight = false;
    this.#stale = true;
    this.#pollTimer.failed(now);
  }

  /** The batch of a piggybacked claim was stored without the claim, or got no reply: a claim of its own must follow. */
  unanswered(): void {
    this.#inFlight = false;
    this.#stale = true;
    this.#pollTimer.hint();
  }

  // ---------------------------------------------------------------- events: jobs

  /** A claimed job begins to run. */
  started(): void {
    this.#running++;
  }

  /** The run of a job is over. */
  ended({ claimed, limited, unblocks, claimableAt, released }: EndedRun, now: Moment): void {
    this.#running--;
    if (!claimed) this.#stale = true;
    if (limited || (unblocks && !claimed)) this.#pollTimer.hint();
    if (claimableAt === null) return;
    this.#nextAt = Math.min(this.#nextAt ?? Infinity, claimableAt);
    if (!released) this.#pollTimer.at(claimableAt, now);
  }

  /** Jobs were stored, or may have been. */
  arrived({ ours, claimed = false, availableAt }: Arrival, now: Moment): void {
    this.#planLook(now);
    if (!ours || claimed) return;
    if (availableAt !== undefined && availableAt > now.wall) this.#pollTimer.at(availableAt, now);
    else this.#pollTimer.hint();
  }

  /** This worker, or its engine, writes something that the storage announces. */
  wrote(now: Moment): void {
    this.#wroteMs = now.monotonic;
  }

  /**
   * The storage announces that something changed. Soon after a write of our own this is probably its echo, which would
   * cost a useless claim for every job, so then the worker polls a little later.
   */
  notified(now: Moment): void {
    this.#planLook(now);
    if (this.#shared && now.monotonic - this.#wroteMs < ECHO_MS) this.#pollTimer.at(now.wall + ECHO_DELAY_MS, now);
    else this.#pollTimer.hint();
  }

  /** Whether jobs may be left that could run now. */
  get #unfinished(): boolean {
    return this.#running > 0 || this.#inFlight || this.#stale || !this.#foundNothing;
  }

  #planLook(now: Moment): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, now.monotonic + LOOK_MS);
  }
}

function isOver({ untilMs, signal }: Loop, now: Moment): boolean {
  return signal?.aborted === true || now.monotonic >= untilMs;
}
