/**
 * The smoke suite in real workerd: on D1 as on every other storage, and once more from outside, through the Hono app of a
 * deployed Worker, by the real clock: schedule, tick by the platform's trigger, job, crash, resume.
 */
import { describe, expect, it } from "vitest";
import { d1 } from "../../../adapters/d1.ts";
import { caller, untimed } from "../../adapters/hono/kit.ts";
import { env, SELF } from "../../adapters/hono/workerd/bindings.ts";
import worker from "../../runtimes/worker.ts";
import { smokeSuite } from "../suite.ts";

let count = 0;

smokeSuite("D1", () => {
  const prefix = `smoke${++count}_`;
  return () => untimed(d1(env.DB, { prefix }));
});

describe("the app of a Worker in workerd", () => {
  const call = caller((request) => SELF.fetch(request));
  /** Calls the Worker's scheduled handler; test/adapters/hono/node/wrangler.test.ts triggers it from outside. */
  const ring = () => worker.scheduled({ cron: "* * * * *", scheduledTime: 0 }, env, { waitUntil: () => {} });
  const until = async <T>(look: () => Promise<T | false>): Promise<T> => {
    for (let i = 0; i < 200; i++) {
      const found = await look();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("it did not come true in time");
  };
  const job = async (id: string) => (await call("GET", `/jobs/${id}`)).body;

  it("the cron trigger fires what is due, once, and runs it", async () => {
    await call("PUT", "/schedules/second", { json: { expression: "* * * * * *", task: "ring" } });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await Promise.all([ring(), ring(), ring()]);
    await call("POST", "/schedules/second/pause");
    await ring();
    const { items } = (await call("GET", "/jobs?schedule=second")).body;
    expect(items.length).toBeGreaterThan(0);
    const instants = items.map((found: { scheduledAt: number }) => found.scheduledAt);
    expect(new Set(instants).size).toBe(items.length);
    expect(items.map((found: { state: string }) => found.state)).toEqual(items.map(() => "completed"));
    expect((await job(items[0].id)).output).toMatchObject({ schedule: "second", at: items[0].scheduledAt });
    // The time that the platform gives for its trigger (here: 1970) is ignored.
    expect(items[0].scheduledAt).toBeGreaterThan(Date.now() - 60_000);
  });

  it("a job starts right after the request that enqueued it", async () => {
    const { id } = (await call("POST", "/jobs", { json: { task: "ring" } })).body;
    expect(await until(async () => (await job(id)).state === "completed")).toBe(true);
  });

  it("a job whose worker died goes on from its saved steps, sleeps, fails once, and completes", async () => {
    const { id } = (
      await call("POST", "/jobs", { json: { task: "steps", input: { crash: true }, queue: "default", delay: "3s" } })
    ).body;
    // The Worker itself runs what is due within two seconds after the request; this job is due later, for the claim below.
    const claimed = await until(async () => {
      const { body } = await call("POST", "/queues/default/claim", { json: { worker: "dies", for: "4s" } });
      return body.jobs.length > 0 && body;
    });
    expect(claimed.jobs[0].id).toBe(id);
    const steps = [{ name: "first", output: "by the dead" }];
    await call("POST", `/jobs/${id}/steps`, { json: { token: claimed.token, steps, for: "1s" } }).then(({ status }) =>
      expect(status).toBe(200),
    );
    await until(async () => {
      await ring();
      return (await job(id)).state === "completed";
    });
    expect(await job(id)).toMatchObject({
      output: ["by the dead", "two", expect.any(Number)],
      claims: expect.any(Number),
    });
    const late = await call("POST", `/jobs/${id}/settle`, { json: { token: claimed.token, outcome: "completed" } });
    expect([late.status, late.body.code]).toEqual([409, "CLAIM_LOST"]);
  });

  it("requests without a valid token are refused", async () => {
    expect((await call("POST", "/tick", { as: null })).status).toBe(401);
    expect((await call("POST", "/tick", { token: "another-token-012345678" })).status).toBe(401);
  });
});
