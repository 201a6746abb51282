/**
 * In which order did the processes see events? One file to which all of them append a line for each event that matters.
 *
 * The database's rows show the final state; they cannot show that a finished step ran once more. So each player notes its
 * requests, the replies, and the step functions that it started. A line is one `write` to a file opened with O_APPEND: lines
 * never mix, they survive kill -9 of their writer, and a line written after a reply stands after everything that was noted
 * before its request was sent.
 */
import { appendFileSync, openSync, readFileSync } from "node:fs";
import type { ClaimedJob, ClaimReply, JobState, Storage } from "../../../src/storage/port.ts";

/** A line. */
export type Note =
  /** A claim was granted: the job, its fence, its token, and the done steps of its history. */
  | { kind: "claimed"; job: string; fence: number; token: string; done: string[] }
  /** The function of a step starts. */
  | { kind: "started"; job: string; step: string; fence: number }
  /** A write is about to be sent: the steps that it forgets, by job. */
  | { kind: "asked"; op: string; forgets: Record<string, string[]> }
  /** A write was accepted: the steps that it saved as done, and the present state of the job. */
  | { kind: "saved"; op: string; job: string; token: string; done: string[]; state: JobState; ends: boolean }
  /** A lease was granted or renewed. */
  | { kind: "leads"; holder: string; token: number }
  /** Schedules fired under a lease. */
  | { kind: "fired"; op: string; token: number; names: string[] };

const ENDS = new Set(["completed", "failed", "cancelled", "expired"]);

/** Opens the file for notes. @returns a function that writes one */
export function openSideLog(path: string): (note: Note) => void {
  const file = openSync(path, "a");
  return (note) => appendFileSync(file, `${JSON.stringify(note)}\n`);
}

/** Reads all notes in the order in which they were written. */
export function readSideLog(path: string): Note[] {
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Note);
}

/** Wraps a storage so that requests and replies are noted. */
export function noted(storage: Storage, note: (note: Note) => void): Storage {
  const noteClaims = (jobs: readonly ClaimedJob[]): void => {
    for (const { id, claims, claimToken, steps } of jobs) {
      const done = steps.filter(({ state }) => state === "done").map(({ name }) => name);
      note({ kind: "claimed", job: id, fence: claims, token: claimToken!, done });
    }
  };
  /** Notes the claims that were piggybacked on a write. */
  const noteClaimed = (reply: object): void => {
    const { claimed } = reply as { claimed?: ClaimReply | null };
    if (claimed) noteClaims(claimed.jobs);
  };
  const overrides = {
    claim: async (request) => {
      const reply = await storage.claim(request);
      noteClaims(reply.jobs);
      return reply;
    },
    enqueue: async (request) => {
      const reply = await storage.enqueue(request);
      noteClaimed(reply);
      return reply;
    },
    save: async (request) => {
      const { op, writes } = request;
      const forgets = Object.fromEntries(writes.map(({ id, forget }) => [id, forget]));
      note({ kind: "asked", op, forgets });
      const reply = await storage.save(request);
      for (const { id, state } of reply.saved) {
        const { token, steps, transition } = writes.find((write) => write.id === id)!;
        const done = steps.filter((step) => step.state === "done").map(({ name }) => name);
        const ends = transition !== null && ENDS.has(transition.to);
        note({ kind: "saved", op, job: id, token, done, state, ends });
      }
      noteClaimed(reply);
      return reply;
    },
    beginTick: async (request) => {
      const reply = await storage.beginTick(request);
      if (reply.leads && reply.lease) note({ kind: "leads", holder: reply.lease.holder, token: reply.lease.token });
      return reply;
    },
    fire: async (request) => {
      const { op, lease } = request;
      note({ kind: "asked", op, forgets: {} });
      const reply = await storage.fire(request);
      if (lease) note({ kind: "fired", op, token: lease.token, names: reply.fired });
      return reply;
    },
  } satisfies Partial<Storage>;
  return new Proxy(storage, {
    get(target, name) {
      if (name in overrides) return overrides[name as keyof typeof overrides];
      const value: unknown = Reflect.get(target, name);
      // Adapters are classes with private fields: their methods must run on the object itself.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
