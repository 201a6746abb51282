/**
 * Load on loopback: many clients at once enqueue, claim, settle and tick over HTTP, and afterwards every job and every
 * occurrence is counted. Used by `bench/http` for figures and by a test for the counts.
 */
import { Agent, request } from "node:http";

/** What to do. */
export interface LoadOptions {
  url: string;
  token: string;
  clients: number;
  seconds: number;
}

/** What happened. */
export interface LoadReport {
  requests: number;
  perSecond: number;
  /** Answers that were no 2xx, and broken connections. */
  errors: string[];
  /** Milliseconds by operation. */
  latencies: Record<string, { count: number; p50: number; p99: number; max: number }>;
  enqueued: number;
  /** Jobs that no client settled. */
  lost: number;
  /** Jobs that were settled more than once, or given to two clients. */
  doubled: number;
  /** Occurrences that fired while the load lasted. */
  occurrences: number;
  /** Occurrences with more or fewer than one job. */
  wrongOccurrences: number;
}

const SCHEDULES = 5;

/** Runs the load. */
export async function load({ url, token, clients, seconds }: LoadOptions): Promise<LoadReport> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const taken: Record<string, number[]> = {};
  const errors: string[] = [];

  const send = (operation: string, method: string, path: string, json?: object): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      const startMs = performance.now();
      const body = json === undefined ? undefined : JSON.stringify(json);
      const fail = (what: string): void => {
        if (errors.length < 20) errors.push(`${operation}: ${what}`);
        resolve({});
      };
      const call = request(
        `${url}${path}`,
        {
          method,
          agent,
          headers: {
            Authorization: `Bearer ${token}`,
            ...(body === undefined
              ? {}
              : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }),
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("error", (error) => fail(String(error)));
          response.on("end", () => {
            taken[operation] ??= [];
            taken[operation].push(performance.now() - startMs);
            if (response.statusCode! >= 300) return fail(`${response.statusCode} ${text.slice(0, 200)}`);
            resolve(JSON.parse(text) as Record<string, unknown>);
          });
        },
      );
      call.on("error", (error) => fail(String(error)));
      call.end(body);
    });

  for (let i = 0; i < SCHEDULES; i++) {
    await send("schedule", "PUT", `/schedules/every-second-${i}`, {
      expression: "* * * * * *",
      task: "fired",
      queue: "fired",
    });
  }
  // All clients are connected before the clock starts: a busy Node accepts one connection a turn of its loop, and what is
  // measured here is the app, not the queue at its door.
  await Promise.all(Array.from({ length: clients }, () => send("connect", "GET", "/health")));
  for (const operation of ["schedule", "connect"]) delete taken[operation];

  const enqueued = new Set<string>();
  const settled = new Map<string, number>();
  const claimOne = async (): Promise<boolean> => {
    const { token: claim, jobs } = await send("claim", "POST", "/queues/load/claim", { worker: "load", for: "2m" });
    const [job] = (jobs ?? []) as { id: string; input: unknown }[];
    if (!job) return false;
    const answer = await send("settle", "POST", `/jobs/${job.id}/settle`, {
      token: claim,
      outcome: "completed",
      output: job.input,
    });
    if (answer["state"] === "completed") settled.set(job.id, (settled.get(job.id) ?? 0) + 1);
    return true;
  };

  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const client = async (number: number): Promise<void> => {
    for (let turn = 0; performance.now() < endMs; turn++) {
      const kind = (number + turn) % 10;
      if (kind === 9) await send("tick", "POST", "/tick?work=false");
      else if (kind % 2 === 0) {
        const { id } = await send("enqueue", "POST", "/jobs", {
          task: "work",
          queue: "load",
          input: { number, turn },
          key: `${number}-${turn}`,
        });
        if (typeof id === "string") enqueued.add(id);
      } else await claimOne();
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  const wallMs = performance.now() - startMs;
  const requests = Object.values(taken).reduce((sum, list) => sum + list.length, 0);
  const latencies = Object.fromEntries(Object.entries(taken).map(([operation, list]) => [operation, summary(list)]));

  // What is left in the queue is worked off before it is counted.
  const drain = async (): Promise<void> => {
    while (await claimOne());
  };
  await Promise.all(Array.from({ length: Math.min(clients, 20) }, drain));

  let occurrences = 0;
  let wrongOccurrences = 0;
  const fired = new Map<string, number>();
  for (let cursor = ""; ; ) {
    const page = await send("list", "GET", `/jobs?queue=fired&limit=200${cursor}`);
    for (const job of (page["items"] ?? []) as { schedule: string; scheduledAt: number }[]) {
      const key = `${job.schedule} ${job.scheduledAt}`;
      fired.set(key, (fired.get(key) ?? 0) + 1);
    }
    if (typeof page["next"] !== "string") break;
    cursor = `&cursor=${page["next"]}`;
  }
  for (let i = 0; i < SCHEDULES; i++) {
    const { items } = await send("list", "GET", `/schedules/every-second-${i}/occurrences?limit=1000`);
    for (const { schedule, at } of (items ?? []) as { schedule: string; at: number }[]) {
      occurrences++;
      if (fired.get(`${schedule} ${at}`) !== 1) wrongOccurrences++;
    }
  }
  if (fired.size !== occurrences) wrongOccurrences += Math.abs(fired.size - occurrences);
  agent.destroy();

  return {
    requests,
    perSecond: Math.round(requests / (wallMs / 1_000)),
    errors,
    latencies,
    enqueued: enqueued.size,
    lost: [...enqueued].filter((id) => !settled.has(id)).length,
    doubled:
      [...settled.values()].filter((times) => times > 1).length +
      [...settled.keys()].filter((id) => !enqueued.has(id)).length,
    occurrences,
    wrongOccurrences,
  };
}

function summary(list: number[]): { count: number; p50: number; p99: number; max: number } {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! * 10) / 10;
  return { count: list.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
