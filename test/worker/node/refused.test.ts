/** Writes that the storage refuses, whatever is tried, and writes that are larger than a batch. */
import { describe, expect, test } from "vitest";
import { memory } from "../../../adapters/memory.ts";
import { sqlite } from "../../../adapters/sqlite.ts";
import { BelfryError } from "../../../src/base/error.ts";
import type { SaveRequest, Storage } from "../../../src/storage/port.ts";
import { Bench } from "../../execution/harness.ts";

/** A memory storage whose saves go through `check` first, which throws to refuse one. */
function checked(check: (request: SaveRequest) => void, limits: { maxBatchBytes?: number } = {}): Storage {
  const inner = memory();
  return {
    ...inner,
    capabilities: { ...inner.capabilities, ...limits },
    async save(request) {
      check(request);
      return inner.save(request);
    },
  };
}

const tooLarge = (): never => {
  throw new BelfryError("STORAGE_UNUSABLE", "413: too large");
};

describe("a save that the storage refuses", () => {
  for (const [what, error] of [
    ["by its code", () => tooLarge()],
    [
      "because the message is longer than a text may be",
      () => {
        throw new RangeError("Invalid string length");
      },
    ],
  ] as const) {
    test(`fails its job alone, with the storage's words (${what})`, async () => {
      const bench = new Bench(
        checked(({ writes }) => {
          if (writes.some(({ steps }) => steps.some(({ name }) => name === "big"))) error();
        }),
      );
      let ran = 0;
      bench.tasks.define("big", async (ctx) => ctx.step("big", () => ++ran), { retry: 5 });
      bench.tasks.define("small", async (ctx) => ctx.step("a", () => 1));
      const node = bench.start({ concurrency: 30 });
      const failed = node.record("job:failed");
      const big = await node.enqueue("big");
      const small = await Promise.all(Array.from({ length: 20 }, () => node.enqueue("small")));
      await bench.clock.advance("1s");
      for (const { id } of small) expect(await node.job(id)).toMatchObject({ state: "completed" });
      await bench.clock.advance("10s");
      const job = await node.job(big.id);
      expect(job).toMatchObject({ state: "failed", error: { code: "SAVE_REFUSED" }, claims: 1 });
      expect(job.error!.message).toMatch(/413: too large|Invalid string length/);
      expect(ran).toBe(1);
      expect(failed.map(({ id }) => id)).toEqual([big.id]);
      await expect(big.result()).rejects.toMatchObject({ code: "JOB_FAILED" });
      await node.stop();
    });
  }

  test("is sent again for as long as it takes when the disk is full, and loses nothing", async () => {
    let full = true;
    const bench = new Bench(
      checked(() => {
        if (full) throw new BelfryError("STORAGE_UNUSABLE", "the disk is full: free some space");
      }),
    );
    bench.tasks.define("job", async (ctx) => ctx.step("a", () => "done"), { retry: false });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("15s");
    full = false;
    await bench.clock.advance("15s");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "done", claims: 1 });
    await node.stop();
  });
});

describe("a job that saves more than one batch may carry", () => {
  test("saves it in several, each within the bound, and the way it goes on in the last", async () => {
    const sizes: number[] = [];
    const last: (string | undefined)[] = [];
    const bench = new Bench(
      checked(
        ({ writes }) => {
          const size = JSON.stringify(writes).length;
          if (size > 1_000_000) tooLarge();
          sizes.push(size);
          last.push(writes[0]!.transition?.to);
        },
        { maxBatchBytes: 1_000_000 },
      ),
    );
    bench.tasks.define("job", async (ctx) => {
      // Quotes take two bytes in a request, and characters outside ASCII up to three.
      const parts = await Promise.all(
        Array.from({ length: 25 }, (_, i) => ctx.step(`part ${i}`, () => '"é'.repeat(30_000 + i))),
      );
      return parts.length;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("5s");
    const job = await node.job(id);
    expect(job).toMatchObject({ state: "completed", output: 25, claims: 1 });
    expect(job.steps.length).toBe(25);
    expect(sizes.length).toBeGreaterThan(2);
    expect(last.at(-1)).toBe("completed");
    await node.stop();
  });

  test("stores children before the steps that refer to them, whichever of the batches is the last to arrive", async () => {
    for (let cut = 1; cut < 8; cut++) {
      let saves = 0;
      const bench = new Bench(
        checked(
          () => {
            if (++saves === cut) first.crash();
          },
          { maxBatchBytes: 300_000 },
        ),
      );
      bench.tasks.define("kid", (_ctx, text: string) => text.length);
      bench.tasks.define("job", async (ctx) => {
        const kids = Array.from({ length: 8 }, (_, i) => ctx.invoke<number>(`kid ${i}`, "kid", "x".repeat(90_000 + i)));
        return (await Promise.all(kids)).reduce((a, b) => a + b, 0);
      });
      const first = bench.start();
      const { id } = await first.enqueue("job");
      await bench.clock.advance("5s");
      const second = bench.start();
      await bench.clock.advance("3m");
      expect(await second.job(id), `killed at save ${cut}`).toMatchObject({ state: "completed", output: 720_028 });
      await second.stop();
    }
  });
});

test("1,000 steps of one job in one write are cut by rows on SQLite as well", async () => {
  const storage = sqlite(":memory:");
  await storage.migrate({ now: 0 });
  const bench = new Bench(storage);
  bench.tasks.define("job", async (ctx) => {
    const all = await Promise.all(Array.from({ length: 2_500 }, (_, i) => ctx.step(`s${i}`, () => i)));
    return all.length;
  });
  const node = bench.start();
  const { id } = await node.enqueue("job");
  await bench.clock.advance("5s");
  expect(await node.job(id)).toMatchObject({ state: "completed", output: 2_500 });
  await node.stop();
});
