/**
 * Is there an order? Calls made at the same time must answer as if they had been made one after the other.
 *
 * Bursts of random calls go out together on several connections; for each burst some order of its calls, played on the
 * memory model, must give just the answers that came. A call whose client "crashed" has no answer to compare, and may or
 * may not have happened. All orders that fit are kept, since what comes later may tell them apart; two that leave the same
 * rows are one.
 *
 * Where the database works batch after batch, claims take part. Where it locks rows (PostgreSQL) they are made alone: such a
 * claim may pass over rows that another batch holds locked, which the port allows ("a shorter list") and a model that runs
 * alone never does.
 */
import { memory } from "../../adapters/memory.ts";
import type { Storage } from "../../src/storage.ts";
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
  /** Claims that went out together with other calls, by themselves or riding on a write. */
  claims: number;
}

interface Answered {
  call: Call;
  /** Undefined where the client crashed. */
  reply: unknown;
  crashed: boolean;
}

/** Orders of calls that explain all answers so far. */
type Order = readonly Call[];

const MAX_ORDERS = 24;

/**
 * Plays bursts of calls and looks for an order.
 *
 * @param connections two or more to the same, empty data
 * @param options `claimsAlone`: claims may pass over locked rows, so each goes out by itself
 * @throws Error when no order explains the answers of a burst
 */
export async function checkLinearizable(
  connections: readonly Storage[],
  options: { seed: number; bursts: number; claimsAlone?: boolean },
): Promise<LinearizabilityReport> {
  const random = seededRandom(options.seed);
  const world = new World(random.fork());
  const report: LinearizabilityReport = { calls: 0, raced: 0, ambiguous: 0, unanswered: 0, claims: 0 };
  await connections[0]!.migrate({ now: world.now });
  let orders: Order[] = [[]];
  for (let burst = 0; burst < options.bursts; burst++) {
    const calls = drawBurst(world, connections.length, options.claimsAlone ?? false);
    const answered = await Promise.all(
      calls.map(async (call, i): Promise<Answered> => {
        const reply = await send(connections[i]!, call);
        const crashed = calls.length > 1 && random.chance(0.1);
        return { call, reply: inOrder(call, reply), crashed };
      }),
    );
    report.calls += calls.length;
    if (calls.length > 1) {
      report.raced += calls.length;
      report.claims += calls.filter(claims).length;
    }
    report.unanswered += answered.filter(({ crashed }) => crashed).length;
    orders = await explain(orders, answered);
    if (orders.length === 0) throw new Error(complain(options.seed, burst, answered));
    if (orders.length > 1) report.ambiguous++;
    for (const { call, reply, crashed } of answered) if (!crashed) world.learn(call, reply);
  }
  return report;
}

const claims = ({ method, request }: Call): boolean => method === "claim" || request["claim"] !== undefined;

/** Draws calls that go out together. */
function drawBurst(world: World, most: number, claimsAlone: boolean): Call[] {
  const calls: Call[] = [];
  while (calls.length < most) {
    const call = world.next();
    if (claimsAlone && claims(call)) return calls.length === 0 ? [call] : calls;
    calls.push(call);
  }
  return calls;
}

/** Finds the orders that go on to explain a burst. */
async function explain(orders: readonly Order[], burst: readonly Answered[]): Promise<Order[]> {
  const found = new Map<string, Order>();
  for (const order of orders) {
    for (const next of sequences(burst)) {
      if (found.size >= MAX_ORDERS) break;
      const model = memory();
      for (const call of order) await send(model, call);
      let fits = true;
      for (const { call, reply, crashed } of next) {
        const right = inOrder(call, await send(model, call));
        if (!crashed && difference(reply, right, "") !== null) {
          fits = false;
          break;
        }
      }
      if (fits) found.set(await rowsOf(model), [...order, ...next.map(({ call }) => call)]);
    }
  }
  return [...found.values()];
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
