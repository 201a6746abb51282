/**
 * Are concurrent calls linearizable? Their answers must equal those of the same calls made one after the other.
 *
 * Bursts of random calls go out together on several connections; for each burst some order of its calls, played on the
 * memory model, must give just the answers that came. A call whose client "crashed" has no answer to compare, and may or
 * may not have happened. All orders that fit are kept, since later answers may rule some out; orders that leave the same
 * rows count as one.
 *
 * Where the database works batch after batch, a claim must answer as the model does. Where it locks rows (PostgreSQL) it may
 * skip those that another batch of the burst holds locked, which the port allows ("a shorter list"): then the model is
 * asked again with those jobs hidden, and must claim exactly the others.
 */
import type { Tables } from "../../src/memory/batch.ts";
import type { Job } from "../../src/memory/jobs.ts";
import type { SortedSet } from "../../src/memory/sorted_set.ts";
import { newTables, storageOf } from "../../src/memory/storage.ts";
import type { ClaimReply, Storage } from "../../src/storage/port.ts";
import { difference } from "../../src/testing/conformance/assert.ts";
import { inOrder, send } from "../../src/testing/differential/mod.ts";
import { type Call, World } from "../../src/testing/differential/world.ts";
import { seededRandom } from "../../src/testing/random.ts";

/** What was checked. */
export interface LinearizabilityReport {
  calls: number;
  /** Calls that went out together with others. */
  raced: number;
  /** Bursts that fit more than one order. */
  ambiguous: number;
  /** Calls without an answer. */
  unanswered: number;
  /** Claims that went out together with other calls, by themselves or piggybacked on a write. */
  claims: number;
  /** Jobs that claims passed over. */
  passed: number;
}

interface Answered {
  call: Call;
  /** Undefined where the client crashed. */
  reply: unknown;
  crashed: boolean;
}

/** A call in an order, and the jobs that its claim passed over. */
interface Played {
  call: Call;
  passed: readonly string[];
}

/** Calls in an order that explains all answers so far. */
type Order = readonly Played[];

const MAX_ORDERS = 24;

/**
 * Runs bursts of calls and looks for an order.
 *
 * @param connections two or more to the same, empty data
 * @param options `passesOver`: claims may pass over rows that others hold locked
 * @throws Error when no order explains the answers of a burst
 */
export async function checkLinearizable(
  connections: readonly Storage[],
  options: { seed: number; bursts: number; passesOver?: boolean },
): Promise<LinearizabilityReport> {
  const random = seededRandom(options.seed);
  const world = new World(random.fork());
  const report: LinearizabilityReport = { calls: 0, raced: 0, ambiguous: 0, unanswered: 0, claims: 0, passed: 0 };
  await connections[0]!.migrate({ now: world.now });
  let orders: Order[] = [[]];
  for (let burst = 0; burst < options.bursts; burst++) {
    const calls = drawBurst(world, connections.length);
    const answered = await Promise.all(
      calls.map(async (call, i): Promise<Answered> => {
        const reply = await send(connections[i]!, call);
        // Only the answer of a claim shows which jobs it skipped.
        const crashed = calls.length > 1 && random.chance(0.1) && !(options.passesOver && claims(call));
        return { call, reply: inOrder(call, reply), crashed };
      }),
    );
    report.calls += calls.length;
    if (calls.length > 1) {
      report.raced += calls.length;
      report.claims += calls.filter(claims).length;
    }
    report.unanswered += answered.filter(({ crashed }) => crashed).length;
    orders = await explain(orders, answered, options.passesOver ?? false);
    if (orders.length === 0) throw new Error(complain(options.seed, burst, answered));
    if (orders.length > 1) report.ambiguous++;
    report.passed = orders[0]!.reduce((sum, { passed }) => sum + passed.length, 0);
    for (const { call, reply, crashed } of answered) if (!crashed) world.learn(call, reply);
  }
  return report;
}

const claims = ({ method, request }: Call): boolean => method === "claim" || request["claim"] !== undefined;

/** Draws calls that are made together with one `now`, so that in no order time goes back. */
function drawBurst(world: World, most: number): Call[] {
  const calls = Array.from({ length: most }, () => world.next());
  const { now } = world;
  return calls.map((call) => {
    const { claim, ...request } = call.request;
    const at = "now" in request ? { ...request, now } : request;
    return { ...call, request: claim ? { ...at, claim: { ...(claim as object), now } } : at };
  });
}

/** Finds the orders that explain a burst, too. */
async function explain(orders: readonly Order[], burst: readonly Answered[], passesOver: boolean): Promise<Order[]> {
  const found = new Map<string, Order>();
  for (const order of orders) {
    for (const next of sequences(burst)) {
      if (found.size >= MAX_ORDERS) break;
      let played: Order | null = order;
      for (const answered of next) {
        played = await goOn(played, answered, passesOver && burst.length > 1);
        if (played === null) break;
      }
      if (played !== null) found.set(await rowsOf((await replay(played)).model), played);
    }
  }
  return [...found.values()];
}

/** Makes one more call after an order. @returns null where its answer does not fit */
async function goOn(order: Order, { call, reply, crashed }: Answered, passesOver: boolean): Promise<Order | null> {
  const passed = new Set<string>();
  for (let tries = 0; tries <= MAX_PASSED; tries++) {
    const { model, tables } = await replay(order);
    const right = inOrder(call, await sendPassing(model, tables, call, [...passed]));
    const next = [...order, { call, passed: [...passed] }];
    if (crashed || difference(reply, right, "") === null) return next;
    if (!passesOver || !claims(call)) return null;
    // `nextAt` depends on the locks, too.
    if (passed.size > 0 && difference(withoutNextAt(call, reply), withoutNextAt(call, right), "") === null) return next;
    const claimed = new Set(claimedBy(call, reply));
    const missing = claimedBy(call, right).filter((id) => !claimed.has(id));
    if (missing.length === 0) return null;
    for (const id of missing) passed.add(id);
  }
  return null;
}

const MAX_PASSED = 12;

/** The model after all calls of an order. */
async function replay(order: Order): Promise<{ model: Storage; tables: Tables }> {
  const tables = newTables();
  const model = storageOf(tables);
  for (const { call, passed } of order) await sendPassing(model, tables, call, passed);
  return { model, tables };
}

/** Makes a call while some jobs are hidden from claims. */
async function sendPassing(model: Storage, tables: Tables, call: Call, passed: readonly string[]): Promise<unknown> {
  const hidden: [Job, SortedSet<Job>][] = [];
  for (const id of passed) {
    const job = tables.jobs.byId.get(id);
    const ofTask = job && tables.jobs.queue(job.row.queue).tasks.get(job.row.task);
    for (const index of [job?.index, ofTask?.expiring]) if (job && index?.delete(job)) hidden.push([job, index]);
  }
  const reply = await send(model, call);
  for (const [job, index] of hidden) index.add(job);
  return reply;
}

function claimReplyOf({ method }: Call, reply: unknown): ClaimReply | null {
  return method === "claim" ? (reply as ClaimReply) : ((reply as { claimed?: ClaimReply }).claimed ?? null);
}

function claimedBy(call: Call, reply: unknown): string[] {
  return claimReplyOf(call, reply)?.jobs.map(({ id }) => id) ?? [];
}

function withoutNextAt(call: Call, reply: unknown): unknown {
  const copy = structuredClone(reply);
  const claim = claimReplyOf(call, copy);
  if (claim) claim.nextAt = null;
  return copy;
}

/** All orders of a burst, with and without the calls that have no answer. */
function* sequences(burst: readonly Answered[]): Generator<Answered[]> {
  if (burst.length === 0) {
    yield [];
    return;
  }
  for (const [i, one] of burst.entries()) {
    const rest = [...burst.slice(0, i), ...burst.slice(i + 1)];
    for (const tail of sequences(rest)) yield [one, ...tail];
  }
  if (burst.every(({ crashed }) => crashed)) yield [];
}

async function rowsOf(storage: Storage): Promise<string> {
  const pages: string[] = [];
  let cursor: string | null = null;
  do {
    const reply: Awaited<ReturnType<Storage["exportPage"]>> = await storage.exportPage({ cursor, limit: 1000 });
    pages.push(JSON.stringify(reply.page));
    cursor = reply.cursor;
  } while (cursor !== null);
  return pages.join("\n");
}

function complain(seed: number, burst: number, answered: readonly Answered[]): string {
  const lines = answered.map(
    ({ call, reply, crashed }) =>
      `  ${call.method}(${JSON.stringify(call.request)})\n    ${crashed ? "no answer" : JSON.stringify(reply)}`,
  );
  return [`No order explains the answers of burst ${burst}, seed ${seed}:`, ...lines].join("\n");
}
