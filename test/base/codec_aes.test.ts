/** Does the AES-GCM codec keep payloads unreadable in the storage, and readable to whoever has a key? */
import { describe, expect, test, vi } from "vitest";
import { plainCodec } from "../../src/base/codec.ts";
import { aesGcm } from "../../src/base/codec_aes.ts";
import { signalJob } from "../../src/job/control.ts";
import { Bench } from "../execution/harness.ts";

describe("aesGcm()", () => {
  const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

  test("stores nothing readable, and the job runs, waits and resumes", async () => {
    const bench = new Bench();
    const codec = aesGcm({ keys: { k1: key(1) }, current: "k1" });
    bench.tasks.define("job", async (ctx, input: { secret: string }) => {
      const a = await ctx.step("a", () => ({ secret: `${input.secret}-step` }));
      const b = await ctx.waitFor<{ secret: string }>("more");
      ctx.progress({ secret: "progress" });
      return { secret: `${a.secret}-${b?.secret}` };
    });
    const node = bench.start({ codec });
    const handle = await node.enqueue("job", { secret: "input" });
    // WebCrypto answers from other threads, in real time that the fake clock does not move.
    await vi.waitFor(async () =>
      expect(await bench.storage.getJob({ id: handle.id })).toMatchObject({ state: "waiting" }),
    );
    await signalJob(node.engine, handle.id, "more", { secret: "signal" });
    expect(await handle.result()).toEqual({ secret: "input-step-signal" });
    expect(JSON.stringify(await bench.storage.getJob({ id: handle.id }))).not.toContain("secret");
    await node.stop();
  });

  test("writes with the current key and reads with the older ones, so that keys can rotate", async () => {
    const old = aesGcm({ keys: { k1: key(1) }, current: "k1" });
    const both = aesGcm({ keys: { k1: btoa(String.fromCharCode(...key(1))), k2: key(2) }, current: "k2" });
    const stored = await old.encode('{"a":1}');
    expect(await both.decode(stored)).toBe('{"a":1}');
    expect(await both.encode("1")).toMatch(/^aes\.k2\.[\w-]+$/);
    const lone = aesGcm({ keys: { k2: key(2) }, current: "k2" });
    await expect(lone.decode(stored)).rejects.toThrow(/key "k1", which is not among keys/);
    await expect(both.decode(stored.replace("k1", "k2"))).rejects.toThrow();
    await expect(both.decode(`${stored.slice(0, -3)}AAA`)).rejects.toThrow();
    await expect(both.decode('{"a":1}')).rejects.toThrow(/not encrypted/);
    expect(await aesGcm({ keys: { k: key(1) }, current: "k", readPlain: true }).decode("1")).toBe("1");
    expect(() => aesGcm({ keys: { k: key(1) }, current: "x" })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(() => aesGcm({ keys: { k: new Uint8Array(5) }, current: "k" })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
    expect(plainCodec.encode("x")).toBe("x");
  });
});
