/** The requests that a fetcher sends: which tasks and queues they name, and what follows a lost reply. */
import { expect, test } from "vitest";
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../../src/storage/port.ts";
import { Fetcher } from "../../src/worker/fetcher.ts";
import { Bench } from "../execution/harness.ts";

/** A fetcher whose requests a test answers; null: the reply is lost. */
function setUp({ queues = ["q"], running = 0 }: { queues?: string[]; running?: number } = {}) {
  const bench = new Bench();
  const { engine, errors } = bench.node();
  const sent: ClaimRequest[] = [];
  const replies: (Partial<ClaimReply> | null)[] = [];
  const storage = {
    ...engine.storage,
    capabilities: { ...engine.storage.capabilities, maxBatchRows: 20 },
    async claim(request: ClaimRequest): Promise<ClaimReply> {
      sent.push(request);
      const reply = replies.shift();
      if (reply === null) throw new Error("no reply");
      return { jobs: [], nextAt: null, ...reply };
    },
  };
  Object.assign(engine, { storage });
  const started: string[] = [];
  const fetcher = new Fetcher(engine, {
    claimMs: 1_000,
    queues: () => queues,
    running: () => running,
    overdue: () => false,
    catchUp: async () => {},
    take: ({ id }) => void started.push(id),
  });
  bench.tasks.define("plain", () => 1);
  return { bench, fetcher, sent, replies, started, errors };
}

const job = (id: string, queue = "q") => ({ id, queue }) as ClaimedJob;

test("claim() names every task in one request when none has a concurrency of its own", async () => {
  const { bench, fetcher, sent, replies, started } = setUp();
  bench.tasks.define("other", () => 1);
  replies.push({ jobs: [job("a"), job("b")], nextAt: 7 });
  expect(await fetcher.claim(5)).toEqual({ found: 2, full: false, nextAt: 7 });
  expect(sent).toMatchObject([{ tasks: ["plain", "other"], queues: ["q"], limit: 5, claimMs: 1_000 }]);
  expect(started).toEqual(["a", "b"]);
});

test("claim() asks separately for a task of which fewer jobs may start, and not for one that is used up", async () => {
  const { bench, fetcher, sent } = setUp({ running: 2 });
  bench.tasks.define("limited", () => 1, { concurrency: 5 });
  bench.tasks.define("used up", () => 1, { concurrency: 2 });
  await fetcher.claim(10);
  expect(sent.map(({ tasks, limit }) => [tasks, limit])).toEqual([
    [["plain"], 10],
    [["limited"], 3],
  ]);
});

test("claim() asks for no more jobs than fit into a batch, and says that there may be more", async () => {
  const { fetcher, sent, replies } = setUp();
  replies.push({ jobs: Array.from({ length: 20 }, (_, i) => job(`${i}`)) });
  expect(await fetcher.claim(30)).toMatchObject({ found: 20, full: true });
  expect(sent[0]!.limit).toBe(20);
});

test("claim() goes on after the queue that was served last", async () => {
  const { fetcher, sent, replies } = setUp({ queues: ["a", "b", "c"] });
  replies.push({ jobs: [job("1", "a"), job("2", "b")] });
  await fetcher.claim(2);
  await fetcher.claim(2);
  expect(sent.map(({ queues }) => queues.join(""))).toEqual(["abc", "cab"]);
});

test("claim() resends a request without a reply, with its token, and then says that there may be more", async () => {
  const { fetcher, sent, replies, started, errors } = setUp();
  replies.push(null, { jobs: [job("a")] });
  expect(await fetcher.claim(5)).toBeNull();
  // The resend is answered as of the time of the first, so jobs may have come since.
  expect(await fetcher.claim(3)).toEqual({ found: 1, full: true, nextAt: null });
  await fetcher.claim(3);
  expect(sent.map(({ limit }) => limit)).toEqual([5, 5, 3]);
  expect(sent[1]!.token).toBe(sent[0]!.token);
  expect(sent[2]!.token).not.toBe(sent[0]!.token);
  expect(started).toEqual(["a"]);
  expect(errors).toHaveLength(1);
});

test("claim() leaves a request to run out after five tries", async () => {
  const { fetcher, sent, replies } = setUp();
  replies.push(null, null, null, null, null);
  for (let i = 0; i < 6; i++) await fetcher.claim(5);
  expect(new Set(sent.slice(0, 5).map(({ token }) => token)).size).toBe(1);
  expect(sent[5]!.token).not.toBe(sent[0]!.token);
});

test("piggyback() makes a claim only when one request is enough, and no reply is missing", async () => {
  const { bench, fetcher, replies } = setUp();
  expect(fetcher.piggyback(5, () => {})?.request(9)).toMatchObject({ tasks: ["plain"], limit: 5, now: 9 });
  replies.push(null);
  await fetcher.claim(5);
  expect(fetcher.piggyback(5, () => {})).toBeNull();
  await fetcher.claim(5);
  expect(fetcher.piggyback(5, () => {})).not.toBeNull();
  bench.tasks.define("limited", () => 1, { concurrency: 2 });
  expect(fetcher.piggyback(5, () => {})).toBeNull();
  expect(fetcher.piggyback(2, () => {})).not.toBeNull();
});

test("a piggybacked claim whose batch got no reply is resent by the next claim()", async () => {
  const { fetcher, sent, started, replies } = setUp();
  const results: unknown[] = [];
  const piggyback = fetcher.piggyback(5, (result) => results.push(result))!;
  piggyback.failed();
  expect(results).toEqual([null]);
  replies.push({ jobs: [job("a")] });
  await fetcher.claim(9);
  expect(sent[0]).toMatchObject({ token: piggyback.request(0).token, limit: 5 });
  expect(started).toEqual(["a"]);
});
