/** Is the Durable Object adapter a storage? The kit inside an object in real workerd, and against the model. */
import { env, runInDurableObject } from "cloudflare:test";
import { test } from "vitest";
import { type DurableObjectStorage, durableObject } from "../../../adapters/durable_object.ts";
import { memory } from "../../../adapters/memory.ts";
import { storageConformance, storageDifferential } from "../../../src/testing/conformance/mod.ts";
import { DIFFERENTIAL_OPERATIONS } from "../../storage/rounds.ts";

interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): unknown;
}
type State = { storage: DurableObjectStorage };
type RunIn = (stub: unknown, run: (instance: unknown, state: State) => Promise<void>) => Promise<void>;

const { STORAGE } = env as unknown as { STORAGE: Namespace };
let made = 0;
/** The database of the object that the running case is in. */
let current: DurableObjectStorage;

/** Runs a case inside an object of its own. */
const inObject = (title: string, run: () => unknown): void =>
  test(title, { timeout: 120_000 }, async () => {
    const stub = STORAGE.get(STORAGE.idFromName(`case ${made++}`));
    await (runInDurableObject as unknown as RunIn)(stub, async (_instance, state) => {
      current = state.storage;
      await run();
    });
  });

storageConformance({
  name: "durable object",
  test: inObject,
  skip: test.skip,
  manifest: { reopen: false, listen: true, statements: true, durable: true },
  open: async () => ({ storage: durableObject(current, { prefix: `t${made++}_` }) }),
  runStatements: async (_target, statements) => {
    current.transactionSync(() => {
      for (const { sql, params } of statements) current.sql.exec(sql, ...params);
    });
  },
});

for (const seed of [7, 8]) {
  inObject(`a durable object answers as the model does, seed ${seed}`, async () => {
    const operations = DIFFERENTIAL_OPERATIONS / 2;
    await storageDifferential({ model: memory(), subject: durableObject(current), seed, operations });
  });
}
