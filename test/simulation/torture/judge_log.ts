/**
 * Did anything happen twice on the way? The promises that only the order of events can break, on the players' notes.
 *
 * - A step that was saved as done before a claim began does not start in it, nor again in the claim that saved it.
 * - What was acknowledged as saved is in the history of every later claim.
 * - A fence and a term belong to one claim and one holder; who asks after a later one was granted writes nothing.
 * - A job ends once.
 *
 * A process may die between the storage's answer and its note, so a missing note proves nothing, and nothing here counts
 * on one. A write that was sent again counts from its first sending.
 */
import type { JobState } from "../../../src/storage/port.ts";
import type { Note } from "./side_log.ts";

/** What the notes tell. */
export interface LogReport {
  /** What must not be. */
  wrong: string[];
  /** Step functions started. */
  started: number;
  /** Claims that began with finished steps in their history. */
  resumed: number;
  /** Finished steps in those histories: each would have run again without it. */
  replayed: number;
  /** Terms of leadership. */
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
  /** Its line. */
  line: number;
  done: Set<string>;
}

/** Judges notes in the order in which they were written. */
export function judgeLog(notes: readonly Note[]): LogReport {
  const report: LogReport = {
    wrong: [],
    started: 0,
    resumed: 0,
    replayed: 0,
    terms: 0,
    done: new Map(),
    ended: new Map(),
    fences: new Map(),
  };
  const books = new Books(report);
  for (const [line, note] of notes.entries()) books.enter(note, line);
  report.terms = books.holders.size;
  return report;
}

class Books {
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
    this.#report.wrong.push(what);
  }

  #ask({ op, forgets }: Note & { kind: "asked" }, line: number): void {
    if (!this.#asked.has(op)) this.#asked.set(op, line);
    // From here on it may be forgotten, whether the answer was noted or not.
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
      // A process that was stopped reads its claim late: what came after that claim is not in its history.
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
    if (!claim) this.#fail(`job ${job}: step "${step}" started under fence ${fence}, which nobody was given`);
    else if (claim.done.has(step))
      this.#fail(`job ${job}: step "${step}" was done when claim ${fence} began, and ran again`);
  }

  #save({ op, job, token, done, state, ends }: Note & { kind: "saved" }, line: number): void {
    const claims = [...(this.#claims.get(job) ?? [])];
    const own = claims.find(([, claim]) => claim.token === token);
    if (!own) {
      this.#fail(`job ${job}: a write was taken under a token that nobody was given`);
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
