/** A Durable Object in real workerd, by the real clock: it rings by itself, over restarts and failures. */
import { describe, expect, it } from "vitest";
import { caller } from "../kit.ts";
import { bell, evictDurableObject, runInDurableObject, type Stub } from "./bindings.ts";

const calls = (stub: Stub) => caller((request) => stub.fetch(request));
const until = async (look: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 300; i++) {
    if (await look()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it did not come true in time");
};

interface Occurrence {
  at: number;
  jobId: string | null;
}

async function fired(stub: Stub): Promise<Occurrence[]> {
  return (await calls(stub)("GET", "/schedules/s/occurrences?limit=100")).body.items as Occurrence[];
}

describe("a Durable Object", () => {
  it("fires its schedules by its own alarm, each occurrence once, close to its instant", async () => {
    const stub = bell("alone");
    await calls(stub)("PUT", "/schedules/s", { json: { expression: "* * * * * *", task: "ring" } });
    const completed = async () =>
      (await calls(stub)("GET", "/jobs?schedule=s&state=completed")).body.items as {
        id: string;
        scheduledAt: number;
      }[];
    await until(async () => (await completed()).length >= 3);
    const jobs = await completed();
    expect(new Set(jobs.map(({ scheduledAt }) => scheduledAt)).size).toBe(jobs.length);
    const occurrences = await fired(stub);
    expect(new Set(occurrences.map(({ at }) => at)).size).toBe(occurrences.length);
    expect(occurrences.filter(({ jobId }) => jobId === null)).toEqual([]);
    const { output } = (await calls(stub)("GET", `/jobs/${jobs[0]!.id}`)).body;
    expect(output.ranAt - output.at).toBeLessThan(2_000);
    await calls(stub)("DELETE", "/schedules/s");
    // A tick that was under way sets its alarm, and the next one finds nothing to ring for.
    await until(async () => (await runInDurableObject(stub, (_bell, state) => state.storage.getAlarm())) === null);
  });

  it("runs jobs that sleep and fail, by alarms alone", async () => {
    const stub = bell("jobs");
    const { id } = (await calls(stub)("POST", "/jobs", { json: { task: "steps", input: { crash: true } } })).body;
    await until(async () => (await calls(stub)("GET", `/jobs/${id}`)).body.state === "completed");
    expect((await calls(stub)("GET", `/jobs/${id}`)).body).toMatchObject({ output: ["one", "two", 2] });
  });

  it("continues after a restart; no occurrence is lost or fired twice", async () => {
    const stub = bell("restarted");
    await calls(stub)("PUT", "/schedules/s", { json: { expression: "* * * * * *", task: "ring" } });
    await until(async () => (await fired(stub)).length >= 1);
    await evictDurableObject(stub);
    await until(async () => (await fired(stub)).length >= 3);
    const instants = (await fired(stub)).map(({ at }) => at).sort((a, b) => a - b);
    const gaps = instants.slice(1).map((at, i) => at - instants[i]!);
    expect(gaps).toEqual(gaps.map(() => 1_000));
    await calls(stub)("DELETE", "/schedules/s");
  });

  it("sets a lost alarm again when it starts", async () => {
    const stub = bell("lost");
    await calls(stub)("PUT", "/schedules/s", { json: { expression: "* * * * * *", task: "ring" } });
    await runInDurableObject(stub, (_bell, state) => state.storage.deleteAlarm());
    await evictDurableObject(stub);
    // Any request wakes it, reads included.
    await until(async () => (await fired(stub)).length >= 1);
    await calls(stub)("DELETE", "/schedules/s");
  });

  it("sets the next alarm after a tick that threw, and catches up", async () => {
    const stub = bell("failing");
    await calls(stub)("PUT", "/schedules/s", { json: { expression: "* * * * * *", task: "ring" } });
    let refused = 0;
    await runInDurableObject(stub, async ({ belfry }) => {
      const { storage } = belfry.engine;
      const { beginTick } = storage;
      storage.beginTick = (request) => {
        if (++refused <= 2) return Promise.reject(new Error("the storage is away"));
        storage.beginTick = beginTick;
        return beginTick.call(storage, request);
      };
    });
    await until(async () => refused >= 3);
    await until(async () => (await fired(stub)).length >= 3);
    const instants = (await fired(stub)).map(({ at }) => at).sort((a, b) => a - b);
    const gaps = instants.slice(1).map((at, i) => at - instants[i]!);
    expect(gaps).toEqual(gaps.map(() => 1_000));
    await calls(stub)("DELETE", "/schedules/s");
  });
});
