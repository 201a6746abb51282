/**
 * Did the events happen in an allowed order? Checks the promises that rows alone cannot show, on the players' notes.
 *
 * - A step that was saved as done before a claim began does not start in it, nor again in the claim that saved it.
 * - What was acknowledged as saved is in the history of every later claim.
 * - A fence belongs to one claim and a lease token to one holder; after a later one was granted, an earlier one writes
 *   nothing.
 * - A job ends once.
 *
 * A process may die between the storage's reply and its note, so a missing note proves nothing, and no check relies on one.
 * A write that was sent again counts from its first sending.
 */
import type { JobState } from "../../../src/storage/port.ts";
import type { Note } from "./side_log.ts";

/** Results of the check. */
export interface LogReport {
  violations: string[];
  /** Number of step functions that started. */
  started: number;
  /** Number of claims that began with finished steps in their history. */
  resumed: number;
  /** Number of finished steps in those histories: without them each would have run again. */
  replayed: number;
  /** Number of terms of leadership. */
  terms: number;
  /** Steps acknowledged as done, by job, each with the fence under which it was saved. */
  done: Map<string, Map<string, number>>;
  /** How jobs ended, as acknowledged. */
  ended: Map<string, JobState>;
  /** The highest fence of each job that was noted. */
  fences: Map<string, number>;
}

interface Claimed {
  token: string;
  /** Line of its note. */
  line: number;
  done: Set<string>;
}

/** Checks notes in the order in which they were written. */
export function judgeLog(notes: readonly Note[]): LogReport {
  const report: LogReport = {
    violations: [],
    started: 0,
    resumed: 0,
    replayed: 0,
    terms: 0,
    done: new Map(),
    ended: new Map(),
    fences: new Map(),
  };
  const ledger = new LogLedger(report);
  for (const [line, note] of notes.entries()) ledger.enter(note, line);
  report.terms = ledger.holders.size;
  return report;
}

class LogLedger {
  readonly holders: Map<number, string> = new Map();
  readonly #report: LogReport;
  readonly #asked = new Map<string, number>();
  /** Claims of each job by fence. */
  readonly #claims = new Map<string, Map<number, Claimed>>();
  /** Line of the first note of each term. */
  readonly #terms = new Map<number, number>();
  readonly #endings = new Map<string, string>();

  constructor(report: LogReport) {
    this.#report = report;
  }

  enter(note: Note, line: number): void {
    if (note.kind === "asked") this.#ask(note, line);
    else if (note.kind === "claimed") this.#claim(note, line);
    else if (note.kind === "started") this.#start(note);
    else if (note.kind === "saved") this.#save(note, line);
    else if (note.kind === "leads") this.#lead(note, line);
    else this.#fire(note, line);
  }

  #fail(what: string): void {
    this.#report.violations.push(what);
  }

  #ask({ op, forgets }: Note & { kind: "asked" }, line: number): void {
    if (!this.#asked.has(op)) this.#asked.set(op, line);
    // From here on these steps may be forgotten, whether the reply was noted or not.
    for (const [job, names] of Object.entries(forgets)) {
      for (const name of names) this.#report.done.get(job)?.delete(name);
    }
  }

  #claim({ job, fence, token, done }: Note & { kind: "claimed" }, line: number): void {
    const claims = this.#claims.get(job) ?? new Map<number, Claimed>();
    this.#claims.set(job, claims);
    const known = claims.get(fence);
    if (known && known.token !== token) this.#fail(`job ${job}: fence ${fence} was given to two claims`);
    if (known) return;
    for (const [name, since] of this.#report.done.get(job) ?? []) {
      // A stopped process notes its claim late: steps saved after that claim are not in its history.
      if (since < fence && !done.includes(name))
        this.#fail(`job ${job}: claim ${fence} began without its finished step "${name}"`);
    }
    claims.set(fence, { token, line, done: new Set(done) });
    this.#report.fences.set(job, Math.max(fence, this.#report.fences.get(job) ?? 0));
    this.#report.replayed += done.length;
    if (done.length > 0) this.#report.resumed++;
  }

  #start({ job, step, fence }: Note & { kind: "started" }): void {
    this.#report.started++;
    const claim = this.#claims.get(job)?.get(fence);
    if (!claim) this.#fail(`job ${job}: step "${step}" started under fence ${fence}, which no claim has`);
    else if (claim.done.has(step))
      this.#fail(`job ${job}: step "${step}" was done when claim ${fence} began, and ran again`);
  }

  #save({ op, job, token, done, state, ends }: Note & { kind: "saved" }, line: number): void {
    const claims = [...(this.#claims.get(job) ?? [])];
    const own = claims.find(([, claim]) => claim.token === token);
    if (!own) {
      this.#fail(`job ${job}: a write was taken under a token that no claim has`);
      return;
    }
    const asked = this.#asked.get(op) ?? line;
    const later = claims.find(([fence, claim]) => fence > own[0] && claim.line < asked);
    if (later) this.#fail(`job ${job}: a write under claim ${own[0]} was taken after claim ${later[0]} had begun`);
    const saved = this.#report.done.get(job) ?? new Map<string, number>();
    this.#report.done.set(job, saved);
    for (const name of done) {
      saved.set(name, saved.get(name) ?? own[0]);
      // In the claim that saved it, it must not start again either.
      own[1].done.add(name);
    }
    if (!ends) return;
    const before = this.#endings.get(job);
    if (before !== undefined && before !== op) this.#fail(`job ${job} ended twice`);
    this.#endings.set(job, op);
    this.#report.ended.set(job, state);
  }

  #lead({ holder, token }: Note & { kind: "leads" }, line: number): void {
    const other = this.holders.get(token);
    if (other !== undefined && other !== holder) this.#fail(`term ${token} was granted to ${other} and to ${holder}`);
    this.holders.set(token, holder);
    if (!this.#terms.has(token)) this.#terms.set(token, line);
  }

  #fire({ op, token, names }: Note & { kind: "fired" }, line: number): void {
    if (names.length === 0) return;
    const asked = this.#asked.get(op) ?? line;
    for (const [later, began] of this.#terms) {
      if (later > token && began < asked) this.#fail(`term ${token} fired ${names} after term ${later} had begun`);
    }
  }
}
