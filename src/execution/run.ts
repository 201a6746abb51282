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
 * begins before what came before it is saved. A failure is saved only when something begins after it.
 *
 * History that does not fit is REPLAY_MISMATCH: at once when an ask has another kind than its record, or when the
 * handler returns with records unasked; after a grace when the next record is not asked for while other asks wait (the
 * code may be awaiting something of its own). When the handler *throws* with records unasked it is an ordinary failure:
 * code between steps may fail, and no wrong value has come of it. A mismatch fails the job without further attempts,
 * since they would all end alike, and touches nothing in its history: mend the code, and `retry(id)` goes on.
 */
import type { Timer } from "../clock.ts";
import { decodeNow, encodeNow } from "../codec.ts";
import { endingError } from "../ending.ts";
import type { Engine } from "../engine.ts";
import { BelfryError } from "../error.ts";
import { type Failure, fromFailure, parseFailure, toFailure } from "../failure.ts";
import { NO_RETRY, type RetryFunction, type RetryPolicy, retryDelayMs } from "../retry.ts";
import type { ClaimedJob, JobState, JobTransition, JobWrite, NewJob, StepKind, StepRecord } from "../storage.ts";
import { type Arrived, type Ask, type Due, findDue, nearestWake, signalId, type Wanted } from "./ask.ts";
import { childId } from "./child_id.ts";
import { ATTEMPT_NOTE, describeStep, History, type Outcome } from "./history.ts";
import { findInCauses, settleFailure, timeoutText } from "./settle.ts";
import { runTry } from "./try.ts";

/** Waits that are over within this time are waited for in memory: a suspension would cost more than it gives back. */
const HOLD_MS = 200;
/** How long recorded steps may stay unasked while the code waits for others, before the history counts as not fitting. */
const GRACE_MS = 2_000;
/** How long a failed handler's other steps may go on, so that what they do is saved and not done again beside them. */
const LINGER_MS = 5_000;

/** What a run needs of its worker. */
export interface RunHost {
  readonly engine: Engine;
  /** Saves; null when the claim is lost. */
  save(write: JobWrite): Promise<{ state: JobState; wakes: number } | null>;
  /** Tells of steps that were saved. */
  saved(run: Run, steps: StepRecord[]): void;
}

/** How a run ended. */
export type RunEnd =
  | { how: "settled"; transition: JobTransition; failure: Failure | null; state: JobState; released: boolean }
  | { how: "lost" };

/** What a run is made of: code to call, or what becomes of the job without running it. */
export type RunRequest =
  | {
      job: ClaimedJob;
      /** Calls the user's handler. */
      handler: () => unknown;
      policy: RetryPolicy | RetryFunction;
      timeoutMs: number | null;
      verdict?: undefined;
    }
  | { job: ClaimedJob; verdict: { transition: JobTransition; failure: Failure | null } };

/** What the handler's promise came to. */
type HandlerResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/** One run of one job. */
export class Run {
  readonly job: ClaimedJob;
  readonly engine: Engine;
  /** Resolves when the run is over. */
  readonly ended: Promise<RunEnd>;
  readonly #host: RunHost;
  readonly #request: RunRequest;
  readonly #history: History;
  readonly #end: (end: RunEnd) => void;

  readonly #names = new Set<string>();
  readonly #counts = new Map<string, number>();
  /** Asks that were not answered yet, by name. */
  readonly #asks = new Map<string, Ask>();
  #fresh: Ask[] = [];
  readonly #waiting = new Set<Ask>();
  readonly #patches = new Map<string, boolean>();

  #unsaved = new Map<string, StepRecord>();
  #children: NewJob[] = [];
  #progress: string | undefined;
  /** The last write that is under way. */
  #saving: Promise<{ state: JobState } | null> | undefined;

  #running = 0;
  /** Things under way that will poke the pump: children being made, saves that something waits for. */
  #busy = 0;
  #quiet = false;
  #poked = false;
  #over = false;
  /** The handler is over and its end is being encoded. */
  #ending = false;
  #draining = false;
  #result: HandlerResult | undefined;

  readonly #arrived: Arrived;
  readonly #consumed = new Set<string>();
  /** The job's `wakes` when `#arrived` was read. */
  #wakes: number;

  #lastTold: string | undefined;
  /** Steps from whose outcome something followed. */
  readonly #followed = new Set<string>();
  /** Errors that came out of the history, and the step they are of. */
  readonly #told = new WeakMap<object, string>();

  #controller: AbortController | undefined;
  #aborted: { reason: unknown } | undefined;
  #alarm: Timer | undefined;
  #grace: Timer | undefined;
  #linger: Timer | undefined;
  #limit: Timer | undefined;

  /** Attempts before the last progress. */
  #base: number;

  /**
   * @param host the worker
   * @param request the claimed job and how to run it
   */
  constructor(host: RunHost, request: RunRequest) {
    const { job } = request;
    this.#host = host;
    this.#request = request;
    this.engine = host.engine;
    this.job = job;
    this.#history = new History(job.steps);
    this.#arrived = { signals: job.signals, children: job.children };
    this.#wakes = job.wakes;
    this.#base = attemptBase(job);
    let end: (end: RunEnd) => void = () => {};
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#end = end;
  }

  /** Attempts since the last progress, this one included. */
  get tries(): number {
    return this.job.attempt - this.#base;
  }

  /** Whether code is being told what is recorded. */
  get replaying(): boolean {
    return this.#history.head !== undefined;
  }

  /** Whether something from outside could change how it goes on while it runs. */
  get listens(): boolean {
    for (const ask of this.#waiting) if (ask.wanted.kind === "wait" || ask.wanted.kind === "invoke") return !this.#over;
    return false;
  }

  /** The run's abort signal, made when somebody asks. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted && !this.#controller.signal.aborted) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  /** Calls the handler. */
  start(): void {
    if (this.#request.verdict) {
      const { transition, failure } = this.#request.verdict;
      void this.#settle(transition, failure);
      return;
    }
    const { timeoutMs, handler } = this.#request;
    if (timeoutMs !== null) {
      this.#limit = this.engine.clock.setTimer(timeoutMs, () => {
        const error = new BelfryError("JOB_TIMEOUT", timeoutText(this.job.id, timeoutMs));
        this.#abort(error);
        if (!this.#over) this.#settleFailed(error);
      });
    }
    const over = (result: HandlerResult): void => {
      if (this.#over) return;
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
    void this.#giveBack();
  }

  /** Takes in what has reached the job since it was claimed. */
  feed(found: ClaimedJob): void {
    if (this.#over || found.claimToken !== this.job.claimToken) return;
    this.#arrived.signals = found.signals;
    this.#arrived.children = found.children;
    this.#wakes = found.wakes;
    this.#poke();
  }

  /** Gives a value that code has at once: the recorded one, or a new one. */
  value<T>(wanted: string, make: () => T): T {
    const name = this.#takeName(wanted);
    const known = this.#history.outcome(name);
    if (this.#fits(name, "value") && known) {
      known.told = true;
      this.#poke();
      return JSON.parse(known.record.ref ?? "null") as T;
    }
    const value = make();
    this.#note(name, "value", JSON.stringify(value));
    return value;
  }

  /** See `Context.patched`. */
  patched(wanted: string): boolean {
    const before = this.#patches.get(wanted);
    if (before !== undefined) return before;
    const name = this.#takeName(`patched(${wanted})`);
    const known = this.#history.outcome(name);
    const fits = this.#fits(name, "patch");
    if (known) known.told = true;
    // What is recorded and not asked for yet was made by code that had passed this place without the patch.
    const answer = fits && (known !== undefined || this.#history.firstUnasked === undefined);
    if (answer && !known) this.#note(name, "patch", null);
    this.#patches.set(wanted, answer);
    this.#poke();
    return answer;
  }

  /** Keeps progress for the next write. */
  progress(value: unknown): void {
    const stored = encodeNow(this.engine.codec, value, `progress of job ${this.job.id}`);
    if (typeof stored === "string") {
      this.#progress = stored;
      this.#poke();
      return;
    }
    stored.then(
      (text) => {
        this.#progress = text;
        this.#poke();
      },
      (error) => this.engine.report(error, `progress of job ${this.job.id}`),
    );
  }

  /** Asks for something durable. The promise settles when it is over; never, when the run is over before. */
  ask(wantedName: string, wanted: Wanted): Promise<unknown> {
    if (this.#over) return new Promise(() => {});
    const name = this.#takeName(wantedName);
    if (this.#lastTold !== undefined) this.#followed.add(this.#lastTold);
    if (!this.#fits(name, wanted.kind)) return new Promise(() => {});
    const promise = new Promise((resolve, reject) => {
      const outcome = this.#history.outcome(name);
      const ask: Ask = {
        name,
        wanted,
        resolve,
        reject,
        state: outcome ? "recorded" : "fresh",
        pending: this.#history.pending(name),
      };
      this.#asks.set(name, ask);
      if (!outcome) this.#fresh.push(ask);
      else if (wanted.kind === "wait" && outcome.record.ref !== null) {
        this.#consumed.add(signalId(wanted.signal, outcome.record.ref));
      }
    });
    // A failure that the code looks at later, or never, is no unhandled rejection of ours.
    promise.catch(() => {});
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#quiet = false;
    this.#poke();
    return promise;
  }

  // ---------------------------------------------------------------- names and fit

  #takeName(wanted: string): string {
    let count = (this.#counts.get(wanted) ?? 0) + 1;
    let name = count === 1 ? wanted : `${wanted}#${count}`;
    while (this.#names.has(name)) name = `${wanted}#${++count}`;
    this.#counts.set(wanted, count);
    this.#names.add(name);
    this.#history.asked(name);
    return name;
  }

  #fits(name: string, kind: StepKind): boolean {
    const record = this.#history.find(name);
    if (!record || record.kind === kind) return true;
    this.#mismatch(
      `its history has ${describeStep(name, record.kind)} where the code asks for ${describeStep(name, kind)}`,
    );
    return false;
  }

  #mismatch(found: string): void {
    if (this.#over) return;
    this.#settleFailed(
      new BelfryError(
        "REPLAY_MISMATCH",
        `Cannot go on with job ${this.job.id} of task ${JSON.stringify(this.job.task)}: ${found}; ` +
          "bring the code back in line with the history (ctx.patched, a new version of the task) and retry the job",
      ),
    );
  }

  #note(name: string, kind: StepKind, ref: string | null): void {
    const now = this.engine.clock.now();
    const outcome = this.#history.append(
      {
        jobId: this.job.id,
        name,
        kind,
        state: "done",
        attempt: 0,
        output: null,
        error: null,
        wakeAt: null,
        ref,
        startedAt: now,
        finishedAt: now,
      },
      undefined,
    );
    outcome.told = true;
    this.#unsaved.set(name, outcome.record);
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
    const head = this.#history.head;
    if (this.#result && (!this.#result.ok || head === undefined || !this.#asks.has(head.record.name))) {
      this.#finish(this.#result);
      return;
    }
    if (head) {
      const ask = this.#asks.get(head.record.name);
      if (ask) this.#tell(ask, head);
      else this.#armGrace(head);
      return;
    }
    this.#advance();
  }

  #tell(ask: Ask, outcome: Outcome): void {
    const { record } = outcome;
    if (!outcome.decoded && record.output !== null && record.state === "done") {
      try {
        const value = decodeNow(this.engine.codec, record.output, `output of step ${JSON.stringify(record.name)}`);
        outcome.decoded = !(value instanceof Promise);
        outcome.value = value;
        if (value instanceof Promise) {
          this.#decodeLater(outcome, value);
          return;
        }
      } catch (error) {
        this.#settleFailed(error);
        return;
      }
    }
    outcome.told = true;
    this.#asks.delete(record.name);
    this.#lastTold = record.name;
    this.#quiet = false;
    if (record.state === "failed") {
      const error = fromFailure(parseFailure(record.error ?? ""));
      this.#told.set(error, record.name);
      ask.reject(error);
    } else if (ask.wanted.kind === "wait" && ask.wanted.throws && record.ref === null) {
      const text = `No signal ${JSON.stringify(ask.wanted.signal)} reached job ${this.job.id} in time`;
      const error = new BelfryError("SIGNAL_TIMEOUT", text);
      this.#told.set(error, record.name);
      ask.reject(error);
    } else {
      ask.resolve(record.kind === "spawn" ? record.ref : outcome.value);
    }
    this.#poke();
  }

  #decodeLater(outcome: Outcome, value: Promise<unknown>): void {
    this.#busy++;
    value.then(
      (decoded) => {
        this.#busy--;
        outcome.value = decoded;
        outcome.decoded = true;
        this.#poke();
      },
      (error) => {
        if (!this.#over) this.#settleFailed(error);
      },
    );
  }

  #armGrace(head: Outcome): void {
    void this.#flushQuietly();
    if (this.#grace || this.#asks.size === 0) return;
    this.#grace = this.engine.clock.setTimer(GRACE_MS, () => {
      this.#grace = undefined;
      if (this.#over || this.#history.head !== head || this.#asks.has(head.record.name)) return;
      const [asked] = this.#asks.values();
      if (!asked) return;
      this.#mismatch(
        `its history goes on with ${describeStep(head.record.name, head.record.kind)}, ` +
          `but the code asks for ${describeStep(asked.name, asked.wanted.kind)}`,
      );
    });
  }

  /** The code is quiet and has been told all: begin what is fresh, end what is due, or suspend. */
  #advance(): void {
    if (this.#draining) {
      // Without asks the code awaits something of its own, which may end before the time to drain is over.
      if (this.#running === 0 && this.#busy === 0 && this.#asks.size > 0) void this.#giveBack();
      else void this.#flushQuietly();
      return;
    }
    const starting: Ask[] = [];
    for (const ask of this.#fresh.splice(0)) this.#begin(ask, starting);
    const now = this.engine.clock.now();
    const due = findDue(this.#waiting, this.#arrived, this.#consumed, now);
    for (const { ask, due: how } of due) this.#endWait(ask, how, starting);
    if (starting.length > 0) this.#startSaved(starting);
    if (this.#history.head) {
      this.#pump();
      return;
    }
    if (starting.length > 0) return;
    const wakeAt = nearestWake(this.#waiting);
    const stays = this.#running > 0 || this.#busy > 0 || this.#waiting.size === 0;
    if (stays || (wakeAt !== null && wakeAt - now <= HOLD_MS)) {
      this.#setAlarm(wakeAt === null ? null : wakeAt - now);
      void this.#flushQuietly();
      return;
    }
    const listens = this.listens;
    void this.#settle(
      listens || wakeAt === null
        ? { to: "waiting", availableAt: wakeAt, wakes: this.#wakes }
        : { to: "ready", availableAt: wakeAt, resuming: true, error: null },
      null,
    );
  }

  #begin(ask: Ask, starting: Ask[]): void {
    const { wanted } = ask;
    const now = this.engine.clock.now();
    if (ask.pending) {
      ask.state = "waiting";
      this.#waiting.add(ask);
      return;
    }
    switch (wanted.kind) {
      case "step":
        starting.push(ask);
        return;
      case "sleep":
        this.#wait(ask, now, wanted.until(now), null);
        return;
      case "wait":
        this.#wait(ask, now, wanted.timeoutMs === null ? null : now + wanted.timeoutMs, null);
        return;
      case "invoke":
      case "spawn":
        void this.#beginChild(ask, wanted.child);
    }
  }

  async #beginChild(ask: Ask, make: (id: string) => Promise<NewJob>): Promise<void> {
    this.#busy++;
    ask.state = "running";
    try {
      const child = await make(childId(this.job.id, ask.name));
      if (this.#over) return;
      this.#children.push(child);
      const now = this.engine.clock.now();
      if (ask.wanted.kind === "spawn")
        this.#complete(ask, { startedAt: now, tries: 1, ref: child.id, output: null, value: undefined });
      else this.#wait(ask, now, null, child.id);
    } catch (error) {
      if (!this.#over) this.#fail(ask, { startedAt: this.engine.clock.now(), tries: 1, error });
    } finally {
      this.#busy--;
      this.#poke();
    }
  }

  #wait(ask: Ask, now: number, wakeAt: number | null, ref: string | null): void {
    ask.state = "waiting";
    ask.pending = {
      jobId: this.job.id,
      name: ask.name,
      kind: ask.wanted.kind,
      state: "pending",
      seq: null,
      attempt: 0,
      output: null,
      error: null,
      wakeAt,
      ref,
      startedAt: now,
      finishedAt: null,
    };
    this.#waiting.add(ask);
    // What is over before it could be suspended needs no row of its own while it waits.
    const brief = ask.wanted.kind === "sleep" && wakeAt !== null && wakeAt - now <= HOLD_MS;
    if (!brief) this.#unsaved.set(ask.name, ask.pending);
  }

  #endWait(ask: Ask, due: Due, starting: Ask[]): void {
    this.#waiting.delete(ask);
    const { startedAt } = ask.pending!;
    const { wanted } = ask;
    if (wanted.kind === "step") {
      starting.push(ask);
      return;
    }
    const ref = ask.pending!.ref;
    if (due.by === "signal") {
      const { signal } = due;
      this.#consumed.add(signalId(signal.name, signal.key));
      this.#complete(ask, { startedAt, tries: 1, ref: signal.key, output: signal.payload });
    } else if (due.by === "child" && due.child.state === "completed") {
      this.#complete(ask, { startedAt, tries: 1, ref, output: due.child.result });
    } else if (due.by === "child") {
      this.#fail(ask, { startedAt, tries: 1, ref, error: endingError(due.child.id, due.child.state, due.child.error) });
    } else {
      this.#complete(ask, {
        startedAt,
        tries: 1,
        ref: wanted.kind === "wait" ? null : ref,
        output: null,
        value: undefined,
      });
    }
  }

  // ---------------------------------------------------------------- steps

  /** Begins steps when what came before them is saved. */
  #startSaved(asks: Ask[]): void {
    for (const ask of asks) ask.state = "running";
    const clean = this.#unsaved.size === 0 && this.#children.length === 0;
    if (clean && this.#saving === undefined) {
      for (const ask of asks) void this.#runStep(ask);
      return;
    }
    this.#busy++;
    void (clean ? this.#saving : this.#save(null))?.then((reply) => {
      this.#busy--;
      if (!reply || this.#over) return;
      if (this.#draining) {
        this.#fresh.push(...asks);
        this.#poke();
      } else for (const ask of asks) void this.#runStep(ask);
    });
  }

  async #runStep(ask: Ask): Promise<void> {
    const { wanted, name } = ask;
    if (wanted.kind !== "step") return;
    const { clock } = this.engine;
    this.#running++;
    const startedAt = ask.pending?.startedAt ?? clock.now();
    const tries = (ask.pending?.attempt ?? 0) + 1;
    const outcome = await runTry({
      clock,
      name,
      run: wanted.run,
      attempt: tries,
      key: `${this.job.id}:${name}`,
      fence: this.job.claims,
      timeoutMs: wanted.timeoutMs,
      signal: () => this.signal,
    });
    if (this.#over) return;
    if (!outcome.ok) {
      this.#running--;
      this.#tryFailed(ask, { startedAt, tries, error: outcome.error });
      return;
    }
    try {
      const stored = encodeNow(this.engine.codec, outcome.value, `output of step ${JSON.stringify(name)}`);
      const output = typeof stored === "string" ? stored : await stored;
      if (this.#over) return;
      this.#running--;
      this.#complete(ask, { startedAt, tries, ref: null, output, value: outcome.value });
    } catch (error) {
      if (this.#over) return;
      this.#running--;
      this.#fail(ask, { startedAt, tries, error });
    }
  }

  #tryFailed(ask: Ask, failed: { startedAt: number; tries: number; error: unknown }): void {
    const { wanted, name } = ask;
    const { startedAt, tries, error } = failed;
    let delayMs: number | null = null;
    if (wanted.kind === "step" && wanted.retry !== null && !this.#result) {
      try {
        delayMs = retryDelayMs(wanted.retry, { attempt: tries, error }, () => this.engine.ids.random());
      } catch (thrown) {
        this.#fail(ask, { ...failed, error: thrown });
        return;
      }
    }
    if (delayMs === null) {
      this.#fail(ask, failed);
      return;
    }
    ask.state = "waiting";
    ask.pending = {
      jobId: this.job.id,
      name,
      kind: "step",
      state: "pending",
      seq: null,
      attempt: tries,
      output: null,
      error: JSON.stringify(toFailure(error)),
      wakeAt: this.engine.clock.now() + delayMs,
      ref: null,
      startedAt,
      finishedAt: null,
    };
    this.#waiting.add(ask);
    this.#unsaved.set(name, ask.pending);
    this.#poke();
  }

  #fail(ask: Ask, failed: { startedAt: number; tries: number; error: unknown; ref?: string | null }): void {
    const failure = toFailure(failed.error);
    this.#append(ask, {
      state: "failed",
      attempt: failed.tries,
      output: null,
      error: JSON.stringify(failure),
      ref: failed.ref ?? null,
      startedAt: failed.startedAt,
    });
  }

  /** `value` is given where it is known already; it is told as it will be read back. */
  #complete(
    ask: Ask,
    done: { startedAt: number; tries: number; ref: string | null; output: string | null; value?: unknown },
  ): void {
    const { startedAt, tries, ref, output } = done;
    const outcome = this.#append(ask, {
      state: "done",
      attempt: tries,
      output: output === "" ? null : output,
      error: null,
      ref,
      startedAt,
    });
    const plain =
      "value" in done && (typeof done.value !== "object" || done.value === null) && !Object.is(done.value, -0);
    outcome.decoded = plain || outcome.record.output === null;
    outcome.value = plain ? done.value : undefined;
    if (this.tries > 1) this.#progressed();
  }

  #append(
    ask: Ask,
    over: Pick<StepRecord, "attempt" | "output" | "error" | "ref" | "startedAt"> & { state: "done" | "failed" },
  ): Outcome {
    const { name, wanted, pending } = ask;
    const now = this.engine.clock.now();
    const wakeAt = pending?.wakeAt ?? null;
    const outcome = this.#history.append(
      { jobId: this.job.id, name, kind: wanted.kind, wakeAt, finishedAt: now, ...over },
      undefined,
    );
    outcome.decoded = false;
    this.#unsaved.set(name, outcome.record);
    this.#waiting.delete(ask);
    // Where the code is quiet it can be told at once; otherwise when it is.
    if (this.#quiet && !this.#poked && this.#history.head === outcome)
      queueMicrotask(() => this.#quiet && !this.#poked && this.#pump());
    else this.#poke();
    return outcome;
  }

  /** A step is over that no attempt had finished: attempts are counted from here. */
  #progressed(): void {
    this.#base = this.job.attempt - 1;
    const now = this.engine.clock.now();
    this.#unsaved.set(ATTEMPT_NOTE, {
      jobId: this.job.id,
      name: ATTEMPT_NOTE,
      kind: "value",
      state: "pending",
      seq: null,
      attempt: 0,
      output: null,
      error: null,
      wakeAt: null,
      ref: String(this.#base),
      startedAt: now,
      finishedAt: null,
    });
  }

  // ---------------------------------------------------------------- saving and ending

  /** Saves what is worth a write of its own; failures wait until something begins after them. */
  async #flushQuietly(): Promise<void> {
    if (this.#children.length === 0 && this.#progress === undefined) {
      let worth = false;
      for (const record of this.#unsaved.values()) worth ||= record.state !== "failed";
      if (!worth) return;
    }
    await this.#save(null);
  }

  /** Sends what is unsaved. @returns null when the claim was lost; then the run is over */
  #save(transition: JobTransition | null, forget: string[] = []): Promise<{ state: JobState } | null> {
    const saving = this.#send(transition, forget).finally(() => {
      if (this.#saving === saving) this.#saving = undefined;
    });
    this.#saving = saving;
    return saving;
  }

  async #send(transition: JobTransition | null, forget: string[]): Promise<{ state: JobState } | null> {
    const steps = [...this.#unsaved.values()];
    const write: JobWrite = {
      id: this.job.id,
      token: this.job.claimToken!,
      steps,
      forget,
      children: this.#children,
      transition,
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
    };
    this.#unsaved = new Map();
    this.#children = [];
    this.#progress = undefined;
    const reply = await this.#host.save(write);
    if (reply) this.#host.saved(this, steps);
    else this.lose(new BelfryError("CLAIM_LOST", `Job ${this.job.id} is no longer this worker's`));
    return reply;
  }

  #finish(result: HandlerResult): void {
    if (result.ok) {
      const unasked = this.#history.firstUnasked;
      if (unasked) {
        this.#mismatch(
          `its history has ${describeStep(unasked.name, unasked.kind)}, but the code returned without asking for it`,
        );
      } else void this.#settleCompleted(result.value);
      return;
    }
    // Other steps of a failed handler may finish, so that the next attempt need not repeat what is half done.
    if (this.#running > 0 && !this.#draining) {
      this.#linger ??= this.engine.clock.setTimer(LINGER_MS, () => {
        if (!this.#over) this.#settleFailed(result.error);
      });
      return;
    }
    this.#settleFailed(result.error);
  }

  async #settleCompleted(value: unknown): Promise<void> {
    this.#ending = true;
    try {
      const stored = encodeNow(this.engine.codec, value, `output of task ${JSON.stringify(this.job.task)}`);
      const result = typeof stored === "string" ? stored : await stored;
      await this.#settle({ to: "completed", result }, null);
    } catch (error) {
      if (!this.#over) this.#settleFailed(error);
    }
  }

  #settleFailed(error: unknown): void {
    const forget: string[] = [];
    for (const { record } of this.#history.outcomes()) {
      const kept = record.kind === "invoke" || this.#followed.has(record.name);
      if (record.state !== "failed" || kept) continue;
      // Not saved yet: it never will be. Otherwise the storage must forget it too.
      if (!this.#unsaved.delete(record.name)) forget.push(record.name);
    }
    const gone = new Set(forget);
    const culprit = findInCauses(error, (candidate) => {
      const name = this.#told.get(candidate);
      return name !== undefined && this.#isKept(name, gone) ? name : undefined;
    });
    const { transition, failure } = settleFailure({
      error,
      tries: this.tries,
      policy: this.#request.verdict ? NO_RETRY : this.#request.policy,
      random: () => this.engine.ids.random(),
      now: this.engine.clock.now(),
      culprit,
    });
    void this.#settle(transition, failure, forget);
  }

  /** Whether the next attempt would be told the same outcome again. */
  #isKept(name: string, gone: ReadonlySet<string>): boolean {
    const record = this.#history.find(name);
    if (!record || gone.has(name)) return false;
    return record.state === "done" || record.kind === "invoke" || this.#followed.has(name);
  }

  async #giveBack(): Promise<void> {
    const now = this.engine.clock.now();
    // Failures that were not gone on from are left to the next worker, which runs those steps again.
    for (const [name, record] of this.#unsaved) if (record.state === "failed") this.#unsaved.delete(name);
    await this.#settle({ to: "ready", availableAt: now, resuming: true, error: null }, null, [], true);
  }

  async #settle(
    transition: JobTransition,
    failure: Failure | null,
    forget: string[] = [],
    released = false,
  ): Promise<void> {
    if (this.#over) return;
    this.#close();
    if (this.#running > 0) this.#abort(new BelfryError("CLOSED", `Job ${this.job.id} is over`));
    const reply = await this.#save(transition, forget);
    if (!reply) {
      this.#abort(new BelfryError("CLAIM_LOST", `Job ${this.job.id} is no longer this worker's`));
      this.#end({ how: "lost" });
    } else this.#end({ how: "settled", transition, failure, state: reply.state, released });
  }

  #close(): void {
    this.#over = true;
    for (const timer of [this.#alarm, this.#grace, this.#linger, this.#limit]) timer?.cancel();
  }

  #abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }

  #setAlarm(delayMs: number | null): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (delayMs === null) return;
    this.#alarm = this.engine.clock.setTimer(Math.max(delayMs, 1), () => this.#poke());
  }

  /** What a save's reply says about arrivals that this run has not read. */
  unread(wakes: number): boolean {
    return wakes > this.#wakes;
  }
}

/** Attempts of a job before its last progress. */
export function attemptBase(job: ClaimedJob): number {
  const note = job.steps.find((step) => step.name === ATTEMPT_NOTE)?.ref;
  return note === null || note === undefined ? 0 : Number(note);
}
