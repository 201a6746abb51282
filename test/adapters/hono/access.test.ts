/**
 * Authorization: every operation with a token of every scope, and with narrowed tokens on what is within and out of their
 * reach. A refused call writes nothing, and no response has data in it that is out of reach.
 */
import { describe, expect, it } from "vitest";
import type { Scope, TokenRule } from "../../../adapters/hono/mod.ts";
import { childId } from "../../../src/execution/child_id.ts";
import type { NewJob } from "../../../src/storage/port.ts";
import { type Answer, type Bench, bench, everything, MINUTE, problemIn, START, TOKEN_RULES, TOKENS } from "./kit.ts";

/** A token that reaches queue `mail` and task `send`, and one that reaches schedules `a/...`. */
const NARROWED: Record<string, TokenRule> = {
  place: { token: "narrowed-to-a-place-01", scopes: ["admin"], queues: ["mail"], tasks: ["send"] },
  schedules: { token: "narrowed-to-schedules", scopes: ["admin"], schedules: ["a/"] },
};
const tokenOf = (rule: TokenRule): string => rule.token!;

type Sent = [method: string, path: string, json?: object];
/** A call about what a token reaches, and the same about what it does not. */
interface Case {
  /** Which scopes may, besides admin. */
  scopes: readonly Scope[];
  mine?: (own: Place) => Sent;
  theirs?: (other: Place) => Sent;
  /** It answers, also where all is out of reach, but without what is. */
  hides?: true;
  /** Narrowed tokens may not call it at all. */
  refused?: true;
  /** The claim's token alone decides. */
  byToken?: true;
  /** Which narrowed tokens may not even do it to their own: a queue's settings concern all its tasks. */
  never?: readonly (keyof typeof NARROWED)[];
}

/** Names of what is stored on one side of the fence. Each job is in a queue, of a task and of a schedule of that side. */
interface Place {
  queue: string;
  task: string;
  schedule: string;
  ready: string;
  failed: string;
  claimed: string;
  token: string;
}
const MINE: Place = {
  ...{ queue: "mail", task: "send", schedule: "a/daily", ready: "mine-ready", failed: "mine-failed" },
  ...{ claimed: "mine-claimed", token: "claim-token-mine-0123" },
};
const THEIRS: Place = {
  ...{ queue: "far", task: "other", schedule: "b/daily", ready: "theirs-ready", failed: "theirs-failed" },
  ...{ claimed: "theirs-claimed", token: "claim-token-theirs-01" },
};
/** Stands in every payload of the others. */
const SECRET = "the-others-secret";

const payloadOf = (place: Place): string => (place === THEIRS ? SECRET : "own");

function newJob(place: Place, id: string, given: Partial<NewJob> = {}): NewJob {
  return {
    ...{ id, task: place.task, queue: place.queue, priority: 0, availableAt: START, expiresAt: null, key: null },
    ...{ input: JSON.stringify(payloadOf(place)), options: "{}" },
    ...{ schedule: place.schedule, scheduledAt: START, parentId: null, limit: null, ...given },
  };
}

const sentJob = (place: Place, id: string): NewJob => newJob(place, id, { schedule: null, scheduledAt: null });
const spec = (place: Place) => ({ expression: "@hourly", task: place.task, queue: place.queue });
const steps = (place: Place): Sent => ["POST", `/jobs/${place.claimed}/steps`, { token: place.token, steps: [] }];
const ENQUEUES: readonly Scope[] = ["enqueue", "work"];
const WORKS: readonly Scope[] = ["work"];
const READS: readonly Scope[] = ["read"];

/** Calls something of a place: the same for mine and theirs. */
const both = (scopes: readonly Scope[], call: (place: Place) => Sent, more: Partial<Case> = {}): Case => {
  return { scopes, mine: call, theirs: call, ...more };
};
const schedule = (scopes: readonly Scope[], method: string, rest = "", json?: object): Case =>
  both(scopes, (at) => [method, `/schedules/${encodeURIComponent(at.schedule)}${rest}`, json] as Sent);

const CASES: Record<string, Case> = {
  tick: { scopes: ["tick"], mine: () => ["POST", "/tick?work=false"] },
  tickByGet: { scopes: ["tick"], mine: () => ["GET", "/tick?work=false"] },
  getMetrics: { scopes: READS, theirs: () => ["GET", "/metrics"], refused: true },
  streamEvents: { scopes: READS, theirs: () => ["GET", "/events"], refused: true },
  listSchedules: both(READS, () => ["GET", "/schedules"], { hides: true }),
  getSchedule: schedule(READS, "GET"),
  putSchedule: both([], (at) => ["PUT", `/schedules/${encodeURIComponent(at.schedule)}`, spec(at)]),
  updateSchedule: schedule([], "PATCH", "", { priority: 5 }),
  removeSchedule: schedule([], "DELETE"),
  pauseSchedule: schedule([], "POST", "/pause", {}),
  resumeSchedule: schedule([], "POST", "/resume", {}),
  triggerSchedule: schedule([], "POST", "/trigger", {}),
  backfillSchedule: schedule([], "POST", "/backfill", { from: START - 120 * MINUTE, to: START }),
  previewSchedule: schedule(READS, "GET", "/preview"),
  explainOccurrence: schedule(READS, "GET", "/explain?at=0"),
  listOccurrences: schedule(READS, "GET", "/occurrences"),
  previewUnregistered: { scopes: READS, mine: () => ["POST", "/schedules/preview", { schedule: spec(MINE) }] },
  forecastSchedule: {
    scopes: READS,
    mine: () => ["POST", "/schedules/forecast", { schedule: spec(MINE), from: START, to: START + 60 * MINUTE }],
  },
  listJobs: both(READS, () => ["GET", "/jobs"], { hides: true }),
  enqueueJob: both(ENQUEUES, ({ task, queue }) => ["POST", "/jobs", { task, queue }], { never: ["schedules"] }),
  enqueueJobs: both(ENQUEUES, ({ task, queue }) => ["POST", "/jobs/enqueue", { jobs: [{ task, queue }] }], {
    never: ["schedules"],
  }),
  retryJobs: both([], ({ task, queue, schedule }) => [
    "POST",
    "/jobs/retry",
    { filter: { task, queue, schedule }, dryRun: false },
  ]),
  cancelJobs: both([], ({ task, queue, schedule }) => ["POST", "/jobs/cancel", { filter: { task, queue, schedule } }]),
  getJob: both(["read", "work"], (at) => ["GET", `/jobs/${at.ready}`]),
  cancelJob: both(WORKS, (at) => ["POST", `/jobs/${at.ready}/cancel`, {}]),
  retryJob: both(WORKS, (at) => ["POST", `/jobs/${at.failed}/retry`, {}]),
  signalJob: both(WORKS, (at) => ["POST", `/jobs/${at.ready}/signals/go`, { value: 1 }]),
  listQueues: both(READS, () => ["GET", "/queues"], { hides: true }),
  configureQueue: both([], (at) => ["PATCH", `/queues/${at.queue}`, { concurrency: 3 }], {
    never: ["place", "schedules"],
  }),
  pauseQueue: both([], (at) => ["POST", `/queues/${at.queue}/pause`, {}], { never: ["place", "schedules"] }),
  resumeQueue: both([], (at) => ["POST", `/queues/${at.queue}/resume`, {}], { never: ["place", "schedules"] }),
  claimJobs: both(WORKS, (at) => ["POST", `/queues/${at.queue}/claim`, { worker: "w" }], { never: ["schedules"] }),
  renewClaim: both(WORKS, (at) => ["POST", `/jobs/${at.claimed}/renew`, { token: at.token }]),
  saveSteps: both(WORKS, steps),
  settleJob: both(WORKS, (at) => ["POST", `/jobs/${at.claimed}/settle`, { token: at.token, outcome: "completed" }]),
  storageClaim: both(
    WORKS,
    (at) => [
      "POST",
      "/storage/claim",
      { token: "another", worker: "w", queues: [at.queue], tasks: null, limit: 1, claimMs: 5_000 },
    ],
    { never: ["schedules"] },
  ),
  storageRenew: both(
    WORKS,
    (at) => ["POST", "/storage/renew", { claimMs: 5_000, claims: [{ id: at.claimed, token: at.token }] }],
    { byToken: true },
  ),
  storageSave: both(
    WORKS,
    (at) => ["POST", "/storage/save", saveOf(MINE, sentJob(at, childId(MINE.claimed, "child")))],
    {
      never: ["schedules"],
    },
  ),
  storageEnqueue: both(WORKS, (at) => ["POST", "/storage/enqueue", { op: "o", jobs: [sentJob(at, "new-1")] }], {
    never: ["schedules"],
  }),
  storageSignal: both(WORKS, (at) => [
    "POST",
    "/storage/signal",
    { signals: [{ jobId: at.ready, name: "go", key: "k", payload: "1" }] },
  ]),
  storageCancel: both(WORKS, (at) => ["POST", "/storage/cancel", { op: "o", ids: [at.ready], error: "{}" }]),
  storageRetry: both(WORKS, (at) => [
    "POST",
    "/storage/retry",
    { op: "o", jobs: [{ id: at.failed, forget: [], notes: null }] },
  ]),
  storageJob: both(WORKS, (at) => ["POST", "/storage/job", { id: at.ready }], { hides: true }),
  storageJobs: both(WORKS, () => ["POST", "/storage/jobs", { limit: 100 }], { hides: true }),
};

function saveOf(parent: Place, child: NewJob): object {
  const step = {
    ...{
      jobId: parent.claimed,
      name: "child",
      kind: "spawn",
      state: "done",
      seq: 0,
      tries: 1,
      attempt: 1,
      output: null,
    },
    ...{ error: null, wakeAt: null, childId: child.id, signalKey: null, startedAt: START, finishedAt: START },
  };
  const write = {
    id: parent.claimed,
    token: parent.token,
    steps: [step],
    forget: [],
    children: [child],
    transition: null,
  };
  return { op: "o", claimMs: 5_000, writes: [write] };
}

/** An app with jobs and schedules on both sides of the fence. */
async function world(): Promise<Bench> {
  const made = bench({ app: { auth: { tokens: [...TOKEN_RULES, ...Object.values(NARROWED)] } } });
  const { storage } = made.belfry.engine;
  for (const place of [MINE, THEIRS]) {
    await made.call("PUT", `/schedules/${encodeURIComponent(place.schedule)}`, { json: spec(place) });
    const claim = { worker: "w", queues: [place.queue], tasks: null, limit: 1, now: START, claimMs: 60_000 };
    await storage.enqueue({ op: `1${place.queue}`, now: START, jobs: [newJob(place, place.failed)] });
    await storage.claim({ ...claim, token: "first" });
    const transition = { to: "failed", error: JSON.stringify({ name: "Error", message: payloadOf(place) }) } as const;
    const write = { id: place.failed, token: "first", steps: [], forget: [], children: [], transition };
    await storage.save({ op: `2${place.queue}`, now: START, claimMs: 60_000, writes: [write] });
    await storage.enqueue({ op: `3${place.queue}`, now: START, jobs: [newJob(place, place.claimed)] });
    await storage.claim({ ...claim, token: place.token });
    await storage.enqueue({ op: `4${place.queue}`, now: START, jobs: [newJob(place, place.ready)] });
  }
  return made;
}

const send = ({ call, app }: Bench, [method, path, json]: Sent, token: string): Promise<Answer> => {
  if (path !== "/events") return call(method, path, { token, ...(json === undefined ? {} : { json }) });
  const request = new Request("http://belfry.test/events", { headers: { Authorization: `Bearer ${token}` } });
  return Promise.resolve(app.fetch(request)).then(async (response) => {
    const { status, headers } = response;
    if (status === 200) await response.body!.cancel();
    const text = status === 200 ? "" : await response.text();
    return { status, headers, text, body: text === "" ? undefined : JSON.parse(text) };
  });
};

describe("scopes of every operation", () => {
  it("the table has a row for every operation", async () => {
    const document = (await bench().call("GET", "/openapi.json", { as: null })).body;
    const ids = Object.values(document.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
      (methods) => Object.values(methods).map(({ operationId }) => operationId),
    );
    const open = ["getHealth", "getOpenApi"];
    expect(ids.filter((id) => !open.includes(id)).sort()).toEqual(Object.keys(CASES).sort());
  });

  for (const [id, { scopes, mine, theirs }] of Object.entries(CASES)) {
    it(`${id} is for ${[...scopes, "admin"].join(", ")}, and for no other scope`, async () => {
      for (const scope of ["tick", "enqueue", "work", "read", "admin"] as const) {
        const made = await world();
        const before = await everything(made.belfry.engine.storage);
        const answer = await send(made, (mine ?? theirs)!(MINE), TOKENS[scope]);
        if (scope === "admin" || scopes.includes(scope))
          expect([scope, answer.status < 300, answer.text]).toEqual([scope, true, answer.text]);
        else {
          expect([scope, problemIn(answer)]).toMatchObject([scope, { status: 403, code: "FORBIDDEN" }]);
          expect(await everything(made.belfry.engine.storage)).toBe(before);
        }
        await made.belfry.close();
      }
    });
  }
});

describe("narrowed tokens", () => {
  for (const [narrowing, rule] of Object.entries(NARROWED)) {
    for (const [id, { mine, theirs, hides, refused, byToken, never = [] }] of Object.entries(CASES)) {
      it(`to ${narrowing === "place" ? "a queue and a task" : "schedules"}: ${id}`, async () => {
        const made = await world();
        const before = await everything(made.belfry.engine.storage);
        if (theirs && !byToken) {
          const answer = await send(made, theirs(THEIRS), tokenOf(rule));
          expect(answer.text).not.toContain(SECRET);
          // A refusal quotes the name that was asked for; a list must not name what was not.
          if (hides) {
            expect(answer.status).toBe(200);
            if (id !== "storageJob") expect(answer.text).not.toMatch(/theirs-|b\/daily|"far"/);
          } else expect([403, 404]).toContain(problemIn(answer).status);
          // A claim is not moved by what is refused, nor anything else.
          expect(await everything(made.belfry.engine.storage)).toBe(before);
        }
        if (mine && !refused) {
          const answer = await send(made, mine(MINE), tokenOf(rule));
          if (never.includes(narrowing)) {
            expect(problemIn(answer)).toMatchObject({ status: 403, code: "FORBIDDEN" });
            expect(await everything(made.belfry.engine.storage)).toBe(before);
          } else expect([answer.status < 300, answer.text]).toEqual([true, answer.text]);
        }
        await made.belfry.close();
      });
    }
  }

  it("cannot move a schedule to a task or queue out of reach, nor register one there", async () => {
    const made = await world();
    const token = tokenOf(NARROWED["place"]!);
    for (const json of [{ task: "other" }, { queue: "far" }, { queue: null }]) {
      expect(problemIn(await made.call("PATCH", "/schedules/a%2Fdaily", { token, json }))).toMatchObject({
        status: 403,
      });
    }
    const json = spec(THEIRS);
    expect(problemIn(await made.call("PUT", "/schedules/a%2Fnew", { token, json }))).toMatchObject({ status: 403 });
    const outside = { token: tokenOf(NARROWED["schedules"]!), json: spec(MINE) };
    expect((await made.call("PUT", "/schedules/a%2Fnew", outside)).status).toBe(200);
    expect(problemIn(await made.call("PUT", "/schedules/c", outside))).toMatchObject({ status: 403 });
    await made.belfry.close();
  });

  it("claim only jobs of their tasks from a queue with other tasks", async () => {
    const made = await world();
    const token = tokenOf(NARROWED["place"]!);
    await made.call("POST", "/jobs", { json: { task: "other", queue: "mail", priority: 9 } });
    const json = { worker: "w", limit: 10 };
    const claimed = await made.call("POST", "/queues/mail/claim", { token, json });
    expect(claimed.body.jobs.map((job: { task: string }) => job.task)).toEqual(["send"]);
    const asked = await made.call("POST", "/queues/mail/claim", { token, json: { ...json, tasks: ["send", "other"] } });
    expect(problemIn(asked)).toMatchObject({ status: 403 });
    await made.belfry.close();
  });

  it("get only ok from /health", async () => {
    const made = await world();
    const { body } = await made.call("GET", "/health?deep=true", { token: tokenOf(NARROWED["place"]!) });
    expect(Object.keys(body)).toEqual(["ok"]);
    await made.belfry.close();
  });

  it("createApp() throws where a narrowing is empty or not a list of names", () => {
    for (const rule of [{ queues: [] }, { tasks: "send" }, { schedules: [""] }, { queues: [7] }]) {
      const tokens = [{ token: "a-token-0123456789012", scopes: ["work"], ...rule } as TokenRule];
      expect(() => bench({ app: { auth: { tokens } } })).toThrow(/no list of names/);
    }
  });

  it("a grant of a verifier with a malformed narrowing is refused", async () => {
    for (const grant of [{ scopes: "admin" }, {}, { scopes: ["admin"], queues: "mail" }]) {
      const { call, belfry } = bench({ app: { auth: { verify: () => grant as never } } });
      expect((await call("GET", "/jobs", { token: "some-token-0123456789" })).status).toBe(401);
      await belfry.close();
    }
  });
});

describe("a token of the scope work", () => {
  it("sees claim tokens only in the reply to its own claim", async () => {
    for (const [id, { mine }] of Object.entries(CASES)) {
      if (!mine || id === "claimJobs" || id === "storageClaim") continue;
      const made = await world();
      const answer = await send(made, mine(MINE), TOKENS.admin);
      expect([id, answer.text]).toEqual([id, expect.not.stringContaining(MINE.token)]);
      await made.belfry.close();
    }
    const made = await world();
    expect(
      (await made.call("POST", "/storage/job", { as: "work", json: { id: MINE.claimed } })).body.job,
    ).toMatchObject({
      id: MINE.claimed,
      state: "running",
      claimToken: null,
    });
    await made.belfry.close();
  });

  it("lists jobs without payloads, keys and errors", async () => {
    const made = await world();
    const { body, text } = await made.call("POST", "/storage/jobs", { as: "work", json: { limit: 100 } });
    expect(body.jobs.map((job: { id: string }) => job.id)).toContain(THEIRS.failed);
    expect(text).not.toContain(SECRET);
    await made.belfry.close();
  });

  const forged: [what: string, job: NewJob][] = [
    ["names a schedule", { ...sentJob(MINE, "x"), schedule: "a/daily" }],
    ["names an occurrence", { ...sentJob(MINE, "x"), scheduledAt: START }],
    ["names another job as its parent", { ...sentJob(MINE, "x"), parentId: THEIRS.claimed }],
    ["takes the id of another job's child", sentJob(MINE, childId(THEIRS.claimed, "pay"))],
  ];
  for (const [what, job] of forged) {
    it(`cannot enqueue a job that ${what}`, async () => {
      const made = await world();
      const before = await everything(made.belfry.engine.storage);
      const json = { op: "o", jobs: [job] };
      const answer = await made.call("POST", "/storage/enqueue", { as: "work", json });
      expect(problemIn(answer)).toMatchObject({ status: 403, code: "FORBIDDEN" });
      expect(await everything(made.belfry.engine.storage)).toBe(before);
      await made.belfry.close();
    });
    it(`cannot save a child that ${what}`, async () => {
      const made = await world();
      const before = await everything(made.belfry.engine.storage);
      const answer = await made.call("POST", "/storage/save", { as: "work", json: saveOf(MINE, job) });
      expect(problemIn(answer)).toMatchObject({ status: 403, code: "FORBIDDEN" });
      expect(await everything(made.belfry.engine.storage)).toBe(before);
      await made.belfry.close();
    });
  }
});
