/** The job writer: how the writes of one job are merged, and how much goes into one batch. */
import { expect, test } from "vitest";
import type { JobWrite, SaveReply, SaveRequest, StepRecord } from "../../src/storage/port.ts";
import { JobWriter } from "../../src/worker/job_writer.ts";
import { Bench } from "../execution/harness.ts";

function step(name: string, output: string): StepRecord {
  return {
    jobId: "j",
    name,
    kind: "step",
    state: "done",
    seq: 0,
    tries: 1,
    attempt: 1,
    output,
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: 0,
    finishedAt: 0,
  };
}

const write = (id: string, parts: Partial<JobWrite>): JobWrite => ({
  id,
  token: "t",
  steps: [],
  forget: [],
  children: [],
  transition: null,
  ...parts,
});

/** A writer whose batches are answered when the test says so. */
function slowWriter(maxBatchRows = 100) {
  const bench = new Bench();
  const node = bench.node();
  const sent: SaveRequest[] = [];
  const answers: (() => void)[] = [];
  const storage = {
    ...node.engine.storage,
    capabilities: { ...node.engine.storage.capabilities, maxBatchRows },
    save: (request: SaveRequest) =>
      new Promise<SaveReply>((resolve) => {
        sent.push(structuredClone(request));
        answers.push(() => resolve({ saved: request.writes.map(({ id }) => ({ id, state: "running", arrivals: 0 })) }));
      }),
  };
  Object.assign(node.engine, { storage });
  const writer = new JobWriter(node.engine, {
    claimMs: 1_000,
    running: () => 2,
    mayOwn: () => true,
    piggyback: () => null,
    prolonged: () => {},
  });
  return { bench, writer, sent, answers };
}

test("writes of one job that wait together become one: later rows of a step replace earlier ones, forgotten steps are not written", async () => {
  const { bench, writer, sent, answers } = slowWriter();
  const all = [writer.save(write("a", { steps: [step("x", "0")] }))];
  await bench.clock.settle();
  all.push(
    writer.save(write("a", { steps: [step("x", "1"), step("y", "1"), step("z", "1")], progress: "1" })),
    writer.save(write("b", { steps: [step("x", "b")] })),
    writer.save(write("a", { steps: [step("y", "2")], forget: ["z"], progress: "2" })),
    writer.save(write("a", { transition: { to: "completed", result: "r" } })),
  );
  answers.shift()!();
  await bench.clock.settle();
  expect(sent).toHaveLength(2);
  const [a, b] = sent[1]!.writes;
  expect(a!.steps.map(({ name, output }) => `${name}${output}`)).toEqual(["x1", "y2"]);
  expect(a).toMatchObject({ forget: ["z"], progress: "2", transition: { to: "completed", result: "r" } });
  expect(b!.steps.map(({ output }) => output)).toEqual(["b"]);
  answers.shift()!();
  expect(await Promise.all(all)).toHaveLength(5);
});

test("a save has no more rows than the storage takes; a job with more is saved in parts, its transition last", async () => {
  const { bench, writer, sent, answers } = slowWriter(10);
  const many = Array.from({ length: 30 }, (_, i) => step(`s${i}`, ""));
  const all = ["a", "b", "c", "d"].map((id) => writer.save(write(id, { steps: id === "b" ? many : many.slice(0, 4) })));
  while (sent.length < 6 || answers.length > 0) {
    await bench.clock.settle();
    answers.shift()?.();
  }
  await Promise.all(all);
  expect(sent.map((request) => request.writes.map(({ id }) => id).join(""))).toEqual(["a", "b", "b", "b", "b", "cd"]);
  const rows = sent.map((request) => request.writes.reduce((sum, { steps }) => sum + steps.length, 0));
  expect(rows).toEqual([4, 10, 10, 10, 0, 8]);
});
