/** The claim policy by tables: events that happened, with their times, and what the worker does next. */
import { describe, expect, test } from "vitest";
import type { Moment } from "../../src/base/clock.ts";
import {
  type Action,
  type Arrival,
  ClaimPolicy,
  type EndedRun,
  type Loop,
  type PiggybackOffer,
} from "../../src/worker/claim_policy.ts";

/** Wall time is ahead of monotonic time by this much, so that one is not taken for the other. */
const WALL = 1_000_000;
const at = (ms: number): Moment => ({ wall: WALL + ms, monotonic: ms });

const SERVE: Loop = { kind: "serve", untilMs: Infinity };
const STOPPED: Loop = { kind: "serve", untilMs: Infinity, signal: AbortSignal.abort() };
const PASS: Loop = { kind: "pass", untilMs: 60_000 };

/** One event. */
type Event = (policy: ClaimPolicy, now: Moment) => void;

const open =
  (loop: Loop): Event =>
  (policy, now) =>
    policy.opened(loop, now);
const close =
  (loop: Loop): Event =>
  (policy) =>
    policy.closed(loop);
const sent: Event = (policy) => policy.sent();
const failed: Event = (policy, now) => policy.failed(now);
const unanswered: Event = (policy) => policy.unanswered();
const notified: Event = (policy, now) => policy.notified(now);
const wrote: Event = (policy, now) => policy.wrote(now);
const answered =
  (found: number, { full = false, nextIn }: { full?: boolean; nextIn?: number } = {}): Event =>
  (policy, now) => {
    for (let i = 0; i < found; i++) policy.started();
    policy.answered({ found, full, nextAt: nextIn === undefined ? null : now.wall + nextIn }, now);
  };
/** A claim is sent and answered at once. */
const claimed =
  (found: number, more: { full?: boolean; nextIn?: number } = {}): Event =>
  (policy, now) => {
    policy.sent();
    answered(found, more)(policy, now);
  };
const looked =
  (again: boolean): Event =>
  (policy, now) => {
    policy.looking();
    policy.looked(again, now);
  };
const repeated = (count: number, event: Event): Event[] => Array<Event>(count).fill(event);
const arrived =
  (arrival: Partial<Omit<Arrival, "availableAt">> & { in?: number } = {}): Event =>
  (policy, now) => {
    const { in: inMs, ...rest } = arrival;
    policy.arrived({ ours: true, ...rest, ...(inMs === undefined ? {} : { availableAt: now.wall + inMs }) }, now);
  };
const ended =
  (end: Partial<Omit<EndedRun, "claimableAt">> & { in?: number } = {}): Event =>
  (policy, now) => {
    const { in: inMs, ...rest } = end;
    const claimableAt = inMs === undefined ? null : now.wall + inMs;
    policy.ended({ claimed: false, limited: false, unblocks: false, released: false, ...rest, claimableAt }, now);
  };

/** Events in order; a number sets the time, ms, which begins at 0. */
type Events = readonly (Event | number)[];

const UNSHARED = { shared: false };

/** A policy that may run four jobs, after some events; and the time. */
function after(events: Events, { shared } = { shared: true }): { policy: ClaimPolicy; now: Moment } {
  const policy = new ClaimPolicy({ concurrency: 4, shared });
  let now = at(0);
  for (const event of events) {
    if (typeof event === "number") now = at(event);
    else event(policy, now);
  }
  return { policy, now };
}

const claim = (limit: number): Action => ({ do: "claim", limit });
const sleep = (ms: number): Action => ({ do: "sleep", ms });
const look: Action = { do: "look" };
const end = (more: boolean): Action => ({ do: "stop", more });

type Row = [title: string, events: Events, action: Action, storage?: { shared: boolean }];

// biome-ignore format: a table
const groups: { subject: string; loop: Loop; rows: Row[] }[] = [
  {
    subject: "a server's loop",
    loop: SERVE,
    rows: [
      ["claims as much as it may run at the start", [], claim(4)],
      ["claims again at once when the storage gave all it was asked for", [claimed(2, { full: true })], claim(2)],
      ["polls 100 ms after a claim that found jobs", [claimed(1)], sleep(100)],
      ["polls 200 ms after a claim that found none", [claimed(0)], sleep(200)],
      ["polls every second after several that found none", repeated(5, claimed(0)), sleep(1_000)],
      ["polls 100 ms after a find, however long it found none before", [claimed(0), claimed(0), claimed(1)], sleep(100)],
      ["does not poll an unshared storage: it sleeps until the next look for unknown tasks", [claimed(0)], sleep(30_000), UNSHARED],
      ["sleeps until the next job can be claimed", [claimed(0, { nextIn: 50 })], sleep(50)],
      ["claims when that instant has come", [claimed(0, { nextIn: 50 }), 50], claim(4), UNSHARED],
      ["sleeps while it is full, though more jobs are there", [claimed(4, { full: true })], sleep(30_000), UNSHARED],
      ["claims for the room that an end makes, when more jobs were there", [claimed(4, { full: true }), ended()], claim(1)],
      ["does not claim after an end when no more were there", [claimed(4), ended()], sleep(100)],
      ["sends no claim while another is in flight", [sent, arrived()], sleep(30_000), UNSHARED],
      ["claims after the answer when jobs came while it was in flight", [sent, arrived(), answered(0)], claim(4)],
      ["sleeps when a piggybacked claim brought more than there is room for", [claimed(5, { full: true })], sleep(30_000), UNSHARED],
    ],
  },
  {
    subject: "after a failure of the storage, a server's loop",
    loop: SERVE,
    rows: [
      ["leaves it alone for 200 ms", [sent, failed], sleep(200)],
      ["does so although jobs are announced", [sent, failed, arrived(), 150], sleep(50)],
      ["claims after that", [sent, failed, 200], claim(4)],
      ["doubles the time with each failure", [sent, failed, sent, failed, sent, failed], sleep(800)],
      ["waits ten seconds at most", repeated(9, failed), sleep(10_000)],
      ["forgets the failures after an answer", [failed, failed, claimed(1)], sleep(100)],
    ],
  },
  {
    subject: "news of jobs make a server's loop",
    loop: SERVE,
    rows: [
      ["claim at once for a due job", [claimed(0), arrived()], claim(4)],
      ["sleep until a delayed job can be claimed", [claimed(0), arrived({ in: 60 })], sleep(60)],
      ["ignore jobs of other queues or tasks", [claimed(0), arrived({ ours: false })], sleep(200)],
      ["ignore jobs that a piggybacked claim sees", [claimed(0), arrived({ claimed: true })], sleep(200)],
      ["claim at once when the storage announces a change", [claimed(0), notified], claim(4)],
      ["claim 100 ms later when that may be the echo of an own write", [claimed(0), 1, wrote, 20, notified], sleep(100)],
      ["claim at once when the own write is longer ago", [claimed(0), 1, wrote, 26, notified], claim(4)],
      ["claim at once in an unshared storage, which has no echo", [claimed(0), wrote, notified], claim(4), UNSHARED],
      ["claim at once when the batch of a piggybacked claim got no reply", [claimed(0), sent, unanswered], claim(4)],
    ],
  },
  {
    subject: "the end of a job makes a server's loop",
    loop: SERVE,
    rows: [
      ["claim for its parent, or the next of its limit", [claimed(1), ended({ unblocks: true })], claim(4)],
      ["sleep when a piggybacked claim has seen those", [claimed(1), ended({ unblocks: true, claimed: true })], sleep(100)],
      ["claim when its task has a concurrency of its own, even then", [claimed(1), ended({ limited: true, claimed: true })], claim(4)],
      ["sleep until the job itself can be claimed again", [claimed(1), ended({ in: 70 })], sleep(70)],
      ["claim at once for a job that is ready again", [claimed(1), ended({ in: 0 })], claim(4)],
      ["sleep when the job was given back because the worker shuts down", [claimed(1), ended({ in: 0, released: true })], sleep(100)],
    ],
  },
  {
    subject: "a server's loop looks for jobs of unknown tasks",
    loop: SERVE,
    rows: [
      ["30 s after its start", [claimed(0), 30_000], look],
      ["and not before", [29_999, ...repeated(5, claimed(0))], sleep(1)],
      ["not again in an unshared storage, when nothing came", [30_000, looked(false), claimed(0)], sleep(Infinity), UNSHARED],
      ["again when some were too new to be judged", [30_000, looked(true), claimed(0)], sleep(30_000), UNSHARED],
      ["again in a shared storage", [30_000, looked(false), 60_000], look],
      ["again after jobs came, whatever their task", [30_000, looked(false), claimed(0), 40_000, arrived({ ours: false })], sleep(30_000), UNSHARED],
    ],
  },
  {
    subject: "a pass",
    loop: PASS,
    rows: [
      ["claims as much as may run at the start", [], claim(4)],
      ["stops when the claim found nothing", [claimed(0)], end(false)],
      ["sleeps while jobs run, and polls as a server does", [claimed(1)], sleep(100)],
      ["claims once more after the last job ended", [claimed(1), ended()], claim(4)],
      ["stops when a piggybacked claim has answered that", [claimed(1), claimed(0), ended({ claimed: true })], end(false)],
      ["sleeps until its end while a piggybacked claim is in flight", [claimed(1), sent, ended({ claimed: true })], sleep(60_000)],
      ["claims once more when the piggybacked claim got no reply", [claimed(1), sent, ended({ claimed: true }), unanswered], claim(4)],
      ["stops though a job can be claimed later", [claimed(0, { nextIn: 5_000 })], end(false)],
      ["stops at its end, and says that jobs may be left", [claimed(0), 60_000, ended(), 60_001], end(true)],
      ["says that jobs may be left when some still run", [claimed(1), claimed(0), 60_000], end(true)],
      ["says that no job is left when the last claim found none", [claimed(0), 60_000], end(false)],
      ["leaves the storage alone after another loop's claim failed", [open(SERVE), sent, open(PASS), failed], sleep(200)],
      ["looks for no unknown tasks", [claimed(1), 40_000, claimed(0)], sleep(200)],
      ["waits for the claim of another loop", [open(SERVE), sent, open(PASS)], sleep(60_000)],
    ],
  },
];

for (const { subject, loop, rows } of groups) {
  describe(subject, () => {
    test.each(rows)("%s", (_title, events, action, storage) => {
      const { policy, now } = after([open(loop), ...events], storage);
      expect(policy.next(loop, now)).toEqual(action);
    });
  });
}

test("a loop whose signal is aborted stops, whatever is due", () => {
  const { policy, now } = after([open(STOPPED)]);
  expect(policy.next(STOPPED, now)).toEqual(end(true));
});

type PiggybackRow = [title: string, events: Events, offer: PiggybackOffer, limit: number];

const jobs: PiggybackOffer = { wanted: true, ending: 0 };
const ending = (count: number): PiggybackOffer => ({ wanted: false, ending: count });

// biome-ignore format: a table
const piggybackRows: PiggybackRow[] = [
  ["may fill the room", [open(SERVE), claimed(1)], jobs, 3],
  ["may use the room of the jobs that end with the batch", [open(SERVE), claimed(4)], { wanted: true, ending: 2 }, 2],
  ["is not sent without room", [open(SERVE), claimed(4)], jobs, 0],
  ["is not sent when the batch brings no job for this worker", [open(SERVE), claimed(1)], ending(0), 0],
  ["is sent when a poll is due", [open(SERVE), claimed(4, { full: true })], ending(1), 1],
  ["is not sent while another claim is in flight", [open(SERVE), claimed(1), sent], jobs, 0],
  ["is not sent after a failure of the storage", [open(SERVE), sent, failed], jobs, 0],
  ["is not sent before a loop is open", [], jobs, 0],
  ["is not sent after the loop is closed", [open(SERVE), close(SERVE)], jobs, 0],
  ["is not sent when the loop's signal is aborted", [open(STOPPED)], jobs, 0],
  ["is not sent when the time of the pass is over", [open(PASS), claimed(1), 60_000], jobs, 0],
  ["is sent when another loop goes on", [open(PASS), open(SERVE), claimed(1), 60_000], jobs, 3],
  ["is sent with the last job of a pass", [open(PASS), claimed(2)], ending(2), 4],
  ["is not sent with the last but one", [open(PASS), claimed(2)], ending(1), 0],
  ["is not sent with the last job of a server's loop", [open(SERVE), claimed(2)], ending(2), 0],
];

describe("a claim piggybacked on a batch", () => {
  test.each(piggybackRows)("%s", (_title, events, offer, limit) => {
    const { policy, now } = after(events);
    expect(policy.piggyback(offer, now)).toBe(limit);
  });
});

type NextRow = [title: string, events: Events, inMs: number | null];

// biome-ignore format: a table
const nextRows: NextRow[] = [
  ["is what the last claim answered", [claimed(0, { nextIn: 70 }), claimed(0, { nextIn: 90 })], 90],
  ["is null when that named no instant", [claimed(0, { nextIn: 70 }), claimed(0)], null],
  ["is when a job that suspended can be claimed again", [claimed(1), ended({ in: 90 })], 90],
  ["is the earliest of them", [claimed(2, { nextIn: 80 }), ended({ in: 90 }), ended({ in: 85 })], 80],
];

describe("nextAt", () => {
  test.each(nextRows)("%s", (_title, events, inMs) => {
    const { policy } = after([open(PASS), ...events]);
    expect(policy.nextAt).toBe(inMs === null ? null : WALL + inMs);
  });
});
