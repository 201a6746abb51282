/**
 * Does the example of `npm start` work as real processes on one SQLite file: killed with -9 between two steps, with two
 * workers, registered again? Real time passes, as a process that is killed has no clock that could be moved; ttls are 1 s.
 */
import { afterEach, describe, expect, it } from "vitest";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { RETRY_ONCE } from "../engines/retry.ts";
import {
  comeToRest,
  countUnfinished,
  folder,
  makePlace,
  type Place,
  type Program,
  query,
  readReports,
  readRuns,
  start,
  until,
} from "./program.ts";

const ROUNDS = process.env["BELFRY_LONG"] ? 20 : 4;
const running = new Set<Program>();

function launch(...args: Parameters<typeof start>): Program {
  const program = start(...args);
  running.add(program);
  program.child.on("exit", () => running.delete(program));
  return program;
}

afterEach(async () => {
  for (const program of running) await program.end("SIGKILL");
});

/** Saved steps, as `job step`. */
const savedSteps = (place: Place): string[] =>
  query<{ job_id: string; name: string }>(place, "SELECT job_id, name FROM belfry_steps WHERE state = 'done'").map(
    ({ job_id, name }) => `${job_id} ${name}`,
  );

/**
 * Stops a program while a job of it is between two steps: the last step that ran is saved, and is not the last of its job.
 *
 * The program is frozen before that is looked at for good, or it might go on between the look and the kill.
 */
async function killBetweenSteps(program: Program, place: Place, runsBefore: number): Promise<void> {
  const isBetween = (): boolean => {
    const runs = readRuns(place);
    const [job, step] = (runs.at(-1) ?? "").split(" ");
    return runs.length > runsBefore && step !== "write" && savedSteps(place).includes(`${job} ${step}`);
  };
  for (;;) {
    await until(isBetween, "a job between two steps");
    program.child.kill("SIGSTOP");
    if (isBetween()) break;
    program.child.kill("SIGCONT");
  }
  await program.end("SIGKILL");
}

/** Every occurrence between the first and the last fired one, of both fast schedules, has one job and one report. */
function expectExactlyOnce(place: Place): number {
  const jobs = query<{ schedule: string; scheduled_at: number; state: string; id: string }>(
    place,
    "SELECT schedule, scheduled_at, state, id FROM belfry_jobs ORDER BY scheduled_at",
  );
  const reports = readReports(place);
  for (const [schedule, stepMs] of [
    ["every-5-seconds", 5_000],
    ["every-7s-elapsed", 7_000],
  ] as const) {
    const mine = jobs.filter((job) => job.schedule === schedule);
    const first = mine[0]!.scheduled_at;
    expect(mine.map((job) => job.scheduled_at)).toEqual(mine.map((_, i) => first + i * stepMs));
    expect(mine.every((job) => job.state === "completed")).toBe(true);
    const written = reports.filter((report) => report.schedule === schedule);
    expect(written.map((report) => report.job).sort()).toEqual(mine.map((job) => job.id).sort());
  }
  return jobs.length;
}

/** Registers what `register.ts` does, as if some time ago: nothing has run since. */
async function registerEarlier(place: Place, agoMs: number): Promise<void> {
  const belfry = new Belfry({ storage: sqlite(place.db), clock: new FakeClock(Date.now() - agoMs) });
  const options = { input: { folder }, overlap: "queue" } as const;
  await belfry.schedule("every-5-seconds", "*/5 * * * * *", "report", options);
  await belfry.schedule("every-7s-elapsed", "@every 7s", "report", options);
  await belfry.schedule("daily-in-berlin", "0 9 * * *", "report", { ...options, timeZone: "Europe/Berlin" });
  await belfry.close();
}

describe("examples/report", RETRY_ONCE, () => {
  it(
    `survives ${ROUNDS} kill -9 between two steps: nothing doubled, nothing lost, no finished step runs again`,
    async () => {
      const place = makePlace();
      for (let round = 0; round < ROUNDS; round++) {
        const before = readRuns(place).length;
        const program = launch("main", place, ["--pause", "150"]);
        await killBetweenSteps(program, place, before + round);
        const saved = savedSteps(place);
        const ranBefore = readRuns(place).length;

        const next = launch("main", place, ["--pause", "20"]);
        if (round < ROUNDS - 1) await until(() => countUnfinished(place) === 0, "all jobs completed");
        else await comeToRest(place);
        await next.end(round % 2 === 0 ? "SIGTERM" : "SIGINT");
        const ranAgain = readRuns(place)
          .slice(ranBefore)
          .map((run) => run.split(" ").slice(0, 2).join(" "));
        expect(ranAgain.filter((run) => saved.includes(run))).toEqual([]);
      }
      // The reports show it: their steps were run by two processes, each once.
      const reports = readReports(place);
      const takenOver = reports.filter((report) => new Set(report.steps.map((step) => step.pid)).size > 1);
      expect(takenOver.length).toBeGreaterThanOrEqual(ROUNDS);
      for (const report of reports) {
        expect(report.steps.map((step) => step.step)).toEqual(["list", "count", "summarise", "write"]);
        expect(report.total.files).toBeGreaterThan(3);
      }
      expectExactlyOnce(place);
    },
    ROUNDS * 60_000,
  );

  it("catches up in order what was missed while nothing ran", async () => {
    const place = makePlace();
    await registerEarlier(place, 20_000);
    const program = launch("main", place);
    await program.printed(/caught up ([2-9]|\d\d)/);
    await until(() => readReports(place).length >= 3, "reports of the missed occurrences");
    await comeToRest(place);
    await program.end("SIGTERM");
    expect(program.output()).toContain("unchanged  every-5-seconds");
    expect(program.output()).toMatch(/completed {2}every-5-seconds {3}\d{4}-.*Z {2}late \d+ /);
    const order = query<{ scheduled_at: number }>(
      place,
      "SELECT scheduled_at FROM belfry_jobs WHERE schedule = 'every-5-seconds' ORDER BY id",
    ).map((job) => job.scheduled_at);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expectExactlyOnce(place);
  });

  it("two workers: a killed leader is replaced within ttl + 1 s, a stopped one within 1 s, each occurrence fires once", async () => {
    const place = makePlace();
    const registering = launch("register", place);
    await until(() => registering.child.exitCode === 0, "registering ends");
    const leads = (worker: Program) => worker.output().includes("leads");
    const followed = async (signal: NodeJS.Signals): Promise<number> => {
      await until(() => workers.some(leads), "a leader");
      const leader = workers.find(leads)!;
      workers.splice(workers.indexOf(leader), 1);
      // The standby must be up and waiting before its leader goes.
      await workers[0]!.printed("works on");
      await until(() => readReports(place).length > 0, "a report");
      const endedAt = performance.now();
      void leader.end(signal);
      await until(() => leads(workers[0]!), "the standby leads");
      const tookMs = performance.now() - endedAt;
      workers.push(launch("worker", place));
      return tookMs;
    };
    const workers = [launch("worker", place), launch("worker", place)];
    expect(await followed("SIGKILL")).toBeLessThan(2_000);
    expect(await followed("SIGTERM")).toBeLessThan(1_000);
    const reports = readReports(place).length;
    await until(() => readReports(place).length > reports + 1, "the new leader fires, and the jobs run");
    await comeToRest(place);
    for (const worker of workers) await worker.end("SIGTERM");
    expectExactlyOnce(place);
  }, 180_000);

  it("registering again does not move the next occurrence", async () => {
    const place = makePlace();
    const registering = launch("register", place);
    await until(() => registering.child.exitCode === 0, "registering ends");
    const rows = () =>
      query<{ name: string; next_at: number }>(place, "SELECT name, next_at FROM belfry_schedules ORDER BY name");
    const before = rows();
    expect(before).toHaveLength(3);
    for (let i = 0; i < 3; i++) {
      const again = launch("register", place);
      await again.printed("unchanged daily-in-berlin");
      await until(() => again.child.exitCode === 0, "it ends");
    }
    expect(rows()).toEqual(before);
  });
});
