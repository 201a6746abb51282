/**
 * One run of a job: from its claim to its end, its next wait, or the loss of its claim.
 *
 * The idea is a pump that turns only when the user's code is quiet. The code moves when it is told an outcome; then one
 * turn of the event loop is waited for, in which every promise that can settle by itself does, and only then comes the
 * next thing: first, one by one and in recorded order, the outcomes of the history; then, at its end, what was asked for
 * anew is begun, all of it together. So the code sees the same order in every run, whether it replays or not, and
 * concurrent branches cannot get at each other's answers.
 *
 *   code quiet ─┬─ next outcome is asked for ──> tell it, wait a turn
 *               ├─ handler over ───────────────> settle
 *               ├─ fresh asks ─────────────────> save what is unsaved, then begin them
 *               ├─ only waits are left ────────> suspend: save, drop the handler's promise (it never settles, so
 *               │                                neither catch nor finally sees anything)
 *               └─ nothing asked ──────────────> save; the code awaits something of its own
 *
 * Saving is lazy: an outcome is told at once and saved together with what the code does next; but nothing durable
 * begins before what came before it is saved.
 */
import type { Timer } from "../base/clock.ts";
import { encodeNow } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobNotes } from "../job/notes.ts";
import { engineName } from "../job/step_name.ts";
import type { ClaimedJob, JobState, JobTransition, JobWrite, StepKind, StepRecord } from "../storage/port.ts";
import type { Failure } from "../task/failure.ts";
import type { RetryFunction, RetryPolicy } from "../task/retry.ts";
import type { Ask, Wanted } from "./ask.ts";
import { attemptsUsed, notesAfterError } from "./attempts.ts";
import { Begun, type BegunHost, HOLD_MS } from "./begun.ts";
import { Causes } from "./causes.ts";
import { History, type Outcome } from "./history.ts";
import { GRACE_MS, kindMismatch, orderMismatch, returnMismatch } from "./mismatch.ts";
import { Namer } from "./namer.ts";
import { Outbox, type Reply } from "./outbox.ts";
import { valueRow } from "./rows.ts";
import { settleFailure, timeoutText } from "./settle.ts";
import { decodeOutcome, tellOutcome } from "./tell.ts";

/** How long a failed handler's other steps may go on, so that what they do is saved and not done again beside them. */
const LINGER_MS = 5_000;

/** What a run needs of its worker. */
export interface RunHost {
  readonly engine: Engine;
  /** Saves; null when the claim is lost. */
  save(write: JobWrite): Promise<Reply>;
  /** Hears of steps that were saved. */
  saved(run: Run, steps: StepRecord[]): void;
}

/** How a run ended. */
export type RunEnd =
  | { how: "settled"; transition: JobTransition; failure: Failure | null; state: JobState; released: boolean }
  | { how: "lost" };

/** What a run is made of. */
export interface RunRequest {
  job: ClaimedJob;
  /** Calls the user's handler. */
  handler: () => unknown;
  policy: RetryPolicy | RetryFunction;
  timeoutMs: number | null;
}

/** What the handler's promise came to. */
type HandlerResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/** One run of one job. */
export class Run {
  readonly job: ClaimedJob;
  readonly engine: Engine;
  /** Resolves when the run is over. */
  readonly ended: Promise<RunEnd>;
  readonly #request: RunRequest;
  readonly #history: History;
  readonly #causes: Causes;
  readonly #outbox: Outbox;
  readonly #begun: Begun;
  readonly #namer = new Namer();
  readonly #end: (end: RunEnd) => void;

  /** Asks that were not answered yet, by name. */
  readonly #asks = new Map<string, Ask>();
  #fresh: Ask[] = [];
  readonly #patches = new Map<string, boolean>();
  /** The job's `arrivals` when its arrivals were read. */
  #arrivals: number;

  /** The output of the next outcome is being decoded, by a codec that takes its time. */
  #decoding = false;
  #quiet = false;
  #poked = false;
  #over = false;
  /** The handler is over and its end is being encoded. */
  #ending = false;
  #draining = false;
  #result: HandlerResult | undefined;

  #controller: AbortController | undefined;
  #aborted: { reason: unknown } | undefined;
  #alarm: Timer | undefined;
  #grace: Timer | undefined;
  #linger: Timer | undefined;
  #limit: Timer | undefined;

  /**
   * @param host the worker
   * @param request the claimed job and how to run it
   */
  constructor(host: RunHost, request: RunRequest) {
    const { job } = request;
    this.#request = request;
    this.engine = host.engine;
    this.job = job;
    this.#history = new History(job.steps);
    this.#causes = new Causes(this.#history);
    this.#arrivals = job.arrivals;
    this.#outbox = new Outbox({ id: job.id, token: job.claimToken! }, async (write) => {
      const reply = await host.save(write);
      if (reply) host.saved(this, write.steps);
      return reply;
    });
    this.#begun = new Begun(host.engine, job, {
      history: this.#history,
      outbox: this.#outbox,
      host: this.#begunHost(),
    });
    let end: (end: RunEnd) => void = () => {};
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#end = end;
  }

  /** Whether the code is at a place that an earlier run has passed. */
  get replaying(): boolean {
    return this.#history.head !== undefined || this.#history.firstUnasked !== undefined;
  }

  /** Whether it waits for something from outside while it runs. */
  get listens(): boolean {
    return !this.#over && this.#begun.listens;
  }

  /** Whether a count of arrivals says that there are some which this run has not read. */
  unread(arrivals: number): boolean {
    return arrivals > this.#arrivals;
  }

  /** The run's abort signal, made when somebody asks. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted && !this.#controller.signal.aborted) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  // ---------------------------------------------------------------- what the worker does to a run

  /** Calls the handler. */
  start(): void {
    const { timeoutMs, handler } = this.#request;
    if (timeoutMs !== null) {
      this.#limit = this.engine.clock.setTimer(timeoutMs, () => {
        const error = new BelfryError("JOB_TIMEOUT", timeoutText(this.job.id, timeoutMs));
        this.#abort(error);
        this.#settleFailed(error);
      });
    }
    const over = (result: HandlerResult): void => {
      this.#result = result;
      this.#poke();
    };
    try {
      Promise.resolve(handler()).then(
        (value) => over({ ok: true, value }),
        (error: unknown) => over({ ok: false, error }),
      );
    } catch (error) {
      over({ ok: false, error });
    }
    this.#poke();
  }

  /** Ends the run without saving anything: the claim is another's, or the job was cancelled. */
  lose(reason: unknown): void {
    if (this.#over) return;
    this.#close();
    this.#abort(reason);
    this.#end({ how: "lost" });
  }

  /** Begins nothing more: gives the job back when the steps that run are over. */
  drain(): void {
    this.#draining = true;
    this.#poke();
  }

  /** Gives the job back now, whatever runs. */
  release(reason: unknown): void {
    if (this.#over) return;
    this.#abort(reason);
    this.#giveBack();
  }

  /** Takes in what has reached the job since it was claimed. */
  feed(found: ClaimedJob): void {
    if (this.#over || found.claimToken !== this.job.claimToken) return;
    this.#begun.arrived(found);
    this.#arrivals = found.arrivals;
    this.#poke();
  }

  // ---------------------------------------------------------------- what the code asks

  /** Gives a value that code has at once: the recorded one, or a new one. */
  value<T>(wanted: string, make: () => T): T {
    const name = this.#takeName(engineName(wanted));
    const known = this.#history.outcome(name);
    if (this.#fits(name, "value") && known) {
      known.told = true;
      this.#poke();
      return JSON.parse(known.record.output ?? "null") as T;
    }
    const value = make();
    this.#record(name, "value", JSON.stringify(value));
    return value;
  }

  /** See `Context.patched`. */
  patched(wanted: string): boolean {
    const before = this.#patches.get(wanted);
    if (before !== undefined) return before;
    const name = this.#takeName(engineName(`patched(${wanted})`));
    const known = this.#history.outcome(name);
    const fits = this.#fits(name, "patch");
    if (known) known.told = true;
    // What is recorded and not asked for yet was made by code that had passed this place without the patch.
    const answer = fits && (known !== undefined || this.#history.firstUnasked === undefined);
    if (answer && !known) this.#record(name, "patch", null);
    this.#patches.set(wanted, answer);
    this.#poke();
    return answer;
  }

  /** Keeps notes for the next write, in place of the job's present ones. */
  note(notes: JobNotes): void {
    this.job.notes = JSON.stringify(notes);
    this.#outbox.notes = this.job.notes;
    this.#poke();
  }

  /** Keeps progress for the next write. */
  progress(value: unknown): void {
    const keep = (encoded: string): void => {
      this.#outbox.progress = encoded;
      this.#poke();
    };
    const what = `progress of job ${this.job.id}`;
    const encoded = encodeNow(this.engine.codec, value, what);
    if (typeof encoded === "string") keep(encoded);
    else encoded.then(keep, (error) => this.engine.report(error, what));
  }

  /** Asks for something durable. The promise settles when that is over; never, when the run is over before. */
  ask(wantedName: string, wanted: Wanted): Promise<unknown> {
    if (this.#over) return new Promise(() => {});
    const name = this.#takeName(wantedName);
    this.#causes.ask();
    if (!this.#fits(name, wanted.kind)) return new Promise(() => {});
    const outcome = this.#history.outcome(name);
    const promise = new Promise((resolve, reject) => {
      const state = outcome ? "recorded" : "fresh";
      const ask: Ask = { name, wanted, resolve, reject, state, pending: this.#history.pending(name) };
      this.#asks.set(name, ask);
      if (!outcome) this.#fresh.push(ask);
    });
    if (wanted.kind === "wait" && outcome && outcome.record.signalKey !== null) {
      this.#begun.consumed(wanted.signal, outcome.record.signalKey);
    }
    // A failure that the code looks at later, or never, is no unhandled rejection of ours.
    promise.catch(() => {});
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#quiet = false;
    this.#poke();
    return promise;
  }

  #takeName(wanted: string): string {
    const name = this.#namer.take(wanted);
    this.#history.asked(name);
    return name;
  }

  #fits(name: string, kind: StepKind): boolean {
    const record = this.#history.find(name);
    if (!record || record.kind === kind) return true;
    this.#settleFailed(kindMismatch(this.job, record, kind));
    return false;
  }

  #record(name: string, kind: StepKind, output: string | null): void {
    const row = valueRow({ job: this.job, name, kind, output, now: this.engine.clock.now() });
    const outcome = this.#history.append(row);
    outcome.told = true;
    this.#outbox.put(outcome.record);
    this.#poke();
  }

  // ---------------------------------------------------------------- the pump

  #poke(): void {
    if (this.#poked || this.#over) return;
    this.#poked = true;
    this.engine.clock.turn().then(() => {
      this.#poked = false;
      this.#quiet = true;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#over || this.#ending) return;
    const { head } = this.#history;
    const ask = head && this.#asks.get(head.record.name);
    if (this.#result && (!this.#result.ok || !ask)) this.#finish(this.#result);
    else if (head && ask) this.#tell(ask, head);
    else if (head) this.#awaitAsk(head);
    else this.#advance();
  }

  #tell(ask: Ask, outcome: Outcome): void {
    if (this.#decoding) return;
    try {
      const decoding = decodeOutcome(this.engine.codec, outcome);
      if (decoding) {
        this.#decodeLater(decoding);
        return;
      }
    } catch (error) {
      this.#settleFailed(error);
      return;
    }
    this.#asks.delete(ask.name);
    this.#quiet = false;
    this.#causes.tell(ask.name, tellOutcome(ask, outcome));
    this.#poke();
  }

  #decodeLater(decoding: Promise<void>): void {
    this.#decoding = true;
    this.#begun.busy++;
    void decoding
      .catch((error) => this.#settleFailed(error))
      .then(() => {
        this.#decoding = false;
        this.#begun.unbusy();
      });
  }

  /** The next outcome was not asked for. The code may await something of its own before it does; but not for long. */
  #awaitAsk(head: Outcome): void {
    this.#flush();
    if (this.#grace || this.#asks.size === 0) return;
    this.#grace = this.engine.clock.setTimer(GRACE_MS, () => {
      this.#grace = undefined;
      const [asked] = this.#asks.values();
      if (this.#history.head !== head || this.#asks.has(head.record.name) || !asked) return;
      this.#settleFailed(orderMismatch(this.job, head.record, asked));
    });
  }

  /** The code is quiet and has been told all: begin what is fresh, end what is due, or suspend. */
  #advance(): void {
    const begun = this.#begun;
    if (this.#draining) {
      const { running, busy } = begun;
      // Without asks the code awaits something of its own, which may end before the time to drain is over.
      if (running === 0 && busy === 0 && this.#asks.size > 0) this.#giveBack();
      else this.#flush();
      return;
    }
    const starting: Ask[] = [];
    for (const ask of this.#fresh.splice(0)) begun.begin(ask, starting);
    const now = this.engine.clock.now();
    begun.endDue(now, starting);
    if (starting.length > 0) begun.start(starting, (asks) => this.#fresh.push(...asks));
    if (this.#history.head) {
      this.#pump();
      return;
    }
    if (starting.length > 0) return;
    const { wakeAt } = begun;
    const stays = begun.running > 0 || begun.busy > 0 || begun.waiting.size === 0;
    if (stays || (wakeAt !== null && wakeAt - now <= HOLD_MS)) {
      this.#setAlarm(wakeAt === null ? null : wakeAt - now);
      this.#flush();
      return;
    }
    void this.#settle(
      this.listens || wakeAt === null
        ? { to: "waiting", availableAt: wakeAt, arrivals: this.#arrivals }
        : { to: "ready", availableAt: wakeAt, resuming: true, error: null },
      null,
    );
  }

  /** What the begun may see of the run, and tell it. */
  #begunHost(): BegunHost {
    const run = this;
    return {
      get over() {
        return run.#over;
      },
      get draining() {
        return run.#draining;
      },
      get handlerOver() {
        return run.#result !== undefined;
      },
      get signal() {
        return run.signal;
      },
      held: (reply) => run.#held(reply),
      poke: () => run.#poke(),
      happened: () => run.#happened(),
    };
  }

  /** An outcome came. Where the code is quiet it can be told in a moment; otherwise when it is. */
  #happened(): void {
    if (!this.#quiet || this.#poked) {
      this.#poke();
      return;
    }
    queueMicrotask(() => {
      if (this.#quiet && !this.#poked) this.#pump();
    });
  }

  #setAlarm(delayMs: number | null): void {
    this.#alarm?.cancel();
    this.#alarm = delayMs === null ? undefined : this.engine.clock.setTimer(Math.max(delayMs, 1), () => this.#poke());
  }

  // ---------------------------------------------------------------- saving and ending

  /** Saves what is worth a write of its own. */
  #flush(): void {
    if (this.#outbox.worthSending) void this.#outbox.send(null).then((reply) => this.#held(reply));
  }

  /** Whether a write was taken and the run goes on. */
  #held(reply: Reply): boolean {
    if (!reply) this.lose(this.#lostError());
    return !this.#over;
  }

  #lostError(): BelfryError {
    return new BelfryError("CLAIM_LOST", `Job ${this.job.id} is no longer this worker's: nothing more of it is saved`);
  }

  #finish(result: HandlerResult): void {
    if (result.ok) {
      const unasked = this.#history.firstUnasked;
      if (unasked) this.#settleFailed(returnMismatch(this.job, unasked));
      else void this.#settleCompleted(result.value);
    } else if (this.#begun.running > 0 && !this.#draining) {
      // Other steps of a failed handler may finish, so that the next attempt need not repeat what is half done.
      this.#linger ??= this.engine.clock.setTimer(LINGER_MS, () => this.#settleFailed(result.error));
    } else this.#settleFailed(result.error);
  }

  async #settleCompleted(value: unknown): Promise<void> {
    this.#ending = true;
    try {
      const encoded = encodeNow(this.engine.codec, value, `output of task ${JSON.stringify(this.job.task)}`);
      const result = typeof encoded === "string" ? encoded : await encoded;
      await this.#settle({ to: "completed", result }, null);
    } catch (error) {
      this.#settleFailed(error);
    }
  }

  #settleFailed(error: unknown): void {
    if (this.#over) return;
    const now = this.engine.clock.now();
    const { transition, failure } = settleFailure({
      error,
      tries: attemptsUsed(this.job),
      policy: this.#request.policy,
      random: () => this.engine.ids.random(),
      now,
      culprit: this.#causes.culprit(error),
    });
    const records = this.#history.outcomes().map((outcome) => outcome.record);
    const notes = transition.to === "ready" ? notesAfterError(this.job, records) : undefined;
    if (notes) this.note(notes);
    // Failures that were not saved yet never are; of the others the storage must know.
    const forget = this.#causes.forgettable().filter((name) => !this.#outbox.drop(name));
    void this.#settle(transition, failure, { forget });
  }

  #giveBack(): void {
    // Failures that were not gone on from are left to the next worker, which runs those steps again.
    this.#outbox.dropFailures();
    const availableAt = this.engine.clock.now();
    void this.#settle({ to: "ready", availableAt, resuming: true, error: null }, null, { released: true });
  }

  async #settle(
    transition: JobTransition,
    failure: Failure | null,
    { forget = [], released = false }: { forget?: string[]; released?: boolean } = {},
  ): Promise<void> {
    if (this.#over) return;
    this.#close();
    if (this.#begun.running > 0) this.#abort(new BelfryError("CLOSED", `Job ${this.job.id} is over`));
    const reply = await this.#outbox.send(transition, forget);
    if (!reply) this.#abort(this.#lostError());
    this.#end(reply ? { how: "settled", transition, failure, state: reply.state, released } : { how: "lost" });
  }

  #close(): void {
    this.#over = true;
    for (const timer of [this.#alarm, this.#grace, this.#linger, this.#limit]) timer?.cancel();
  }

  #abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }
}
