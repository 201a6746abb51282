/** The enqueuer: which callers share a batch, and what a batch that is refused or unanswered means for each of them. */
import { describe, expect, test } from "vitest";
import { BelfryError } from "../../src/base/error.ts";
import type { EnqueueRequest } from "../../src/storage/port.ts";
import { Bench } from "../execution/harness.ts";
import { watched } from "../worker/watched.ts";

describe("enqueues that share a batch", () => {
  test("return to each caller its own jobs, by id and by key", async () => {
    const bench = new Bench();
    const node = bench.node();
    const handles = await Promise.all([
      node.enqueue("t", 1, { key: "a" }),
      node.enqueue("t", 2),
      node.enqueue("t", 3, { key: "a" }),
    ]);
    expect(node.calls).toEqual({ enqueue: 1 });
    expect(handles.map(({ created }) => created)).toEqual([true, true, false]);
    expect(handles[2]!.id).toBe(handles[0]!.id);
    expect((await bench.storage.listJobs({ limit: 9 })).map(({ input }) => input).sort()).toEqual(["1", "2"]);
  });

  test("are sent one by one when the storage refuses the batch, so only a job that cannot be stored fails", async () => {
    const storage = watched((method, request: EnqueueRequest, pass) => {
      if (method === "enqueue" && request.jobs.some(({ input }) => input.includes("bad"))) {
        return Promise.reject(new BelfryError("PAYLOAD_UNSERIALIZABLE", "cannot store that"));
      }
      return pass();
    });
    const bench = new Bench(storage);
    const node = bench.node();
    const settled = await Promise.allSettled(["good", "bad", "fine"].map((text) => node.enqueue("t", text)));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await storage.listJobs({ limit: 9 })).toHaveLength(2);
  });

  test("all fail when the batch got no reply, which is not sent again", async () => {
    const storage = watched((method, _request, pass) =>
      method === "enqueue" ? Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "no answer")) : pass(),
    );
    const bench = new Bench(storage);
    const node = bench.node();
    const settled = await Promise.allSettled([node.enqueue("t"), node.enqueue("t")]);
    expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(node.calls["enqueue"]).toBe(1);
  });

  test("are bounded by the size of a batch; short ones are sent between the parts of a long list", async () => {
    const sizes: number[] = [];
    const storage = watched(
      (method, request: EnqueueRequest, pass) => {
        if (method === "enqueue") sizes.push(request.jobs.length);
        return pass();
      },
      { maxBatchRows: 4 },
    );
    const bench = new Bench(storage);
    const { engine } = bench.node();
    const row = { task: "t", queue: "q", priority: 0, availableAt: 0, expiresAt: null, key: null, input: "1" };
    const job = (id: string) => ({
      ...row,
      id,
      options: "{}",
      schedule: null,
      scheduledAt: null,
      parentId: null,
      limit: null,
    });
    const long = engine.enqueuer.insert(Array.from({ length: 10 }, (_, i) => job(`long ${i}`)));
    const short = engine.enqueuer.insert([job("short")]);
    const first = await Promise.race([long.then(() => "long"), short.then(() => "short")]);
    expect(first).toBe("short");
    expect((await long).map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `long ${i}`));
    expect(sizes.every((size) => size <= 4)).toBe(true);
    expect(await storage.listJobs({ limit: 99 })).toHaveLength(11);
  });
});
