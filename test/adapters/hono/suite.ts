/**
 * What the app does on a storage: every route used as intended. The runtimes and storages run it; refusals
 * are in `security.test.ts` and `auth.test.ts`.
 */
import { describe, expect, it } from "vitest";
import type { Storage } from "../../../src/storage/port.ts";
import { type Bench, bench, MINUTE, problemIn, START } from "./kit.ts";

/** Gives a test an empty storage, for as long as it runs; a Durable Object's exists only inside of the object. */
export type WithStorage = (test: (storage: Storage) => Promise<void>) => Promise<void>;

/** Runs the suite on one kind of storage. */
export function appSuite(name: string, withStorage: WithStorage): void {
  const test = (title: string, run: (made: Bench) => Promise<void>): void => {
    it(title, () => withStorage((storage) => run(bench({ storage }))));
  };

  describe(`app on ${name}: tick and schedules`, () => {
    test("registers a schedule, fires it by POST /tick, and runs its job", async ({ call, clock, belfry }) => {
      const seen: unknown[] = [];
      belfry.task("ring", (ctx, input: { tower: string }) => {
        seen.push([ctx.job.schedule, ctx.job.scheduledAt, input]);
        return "rung";
      });
      const made = await call("PUT", "/schedules/minutely", {
        json: { expression: "* * * * *", task: "ring", input: { tower: "north" }, timeZone: "Europe/Berlin" },
      });
      expect(made.body).toMatchObject({
        status: "created",
        schedule: {
          name: "minutely",
          state: "active",
          nextAt: START + 30_000,
          definition: { input: { tower: "north" } },
        },
      });
      expect((await call("POST", "/tick", { as: "tick" })).body).toMatchObject({
        leader: true,
        fired: 0,
        nextAt: START + 30_000,
      });
      clock.jump(30_000);
      const tick = await call("GET", "/tick", { as: "tick" });
      expect(tick.body).toMatchObject({ fired: 1, ran: 1, more: false, nextAt: START + 30_000 + MINUTE });
      expect(seen).toEqual([["minutely", START + 30_000, { tower: "north" }]]);
      const jobs = await call("GET", "/jobs?schedule=minutely&state=completed", { as: "read" });
      expect(jobs.body.items).toMatchObject([{ task: "ring", scheduledAt: START + 30_000, state: "completed" }]);
      const outcomes = await call("GET", "/schedules/minutely/occurrences");
      expect(outcomes.body.items).toMatchObject([{ at: START + 30_000, jobId: jobs.body.items[0].id, reason: null }]);
      // A day as the end means through its end.
      const day = await call("GET", "/schedules/minutely/occurrences?from=2026-01-05&to=2026-01-05");
      expect(day.body).toEqual(outcomes.body);
      expect((await call("GET", "/schedules/minutely/occurrences?to=2026-01-04")).body.items).toEqual([]);
      const why = await call("GET", `/schedules/minutely/explain?at=${START + 30_000}`);
      expect(why.body).toMatchObject({ outcome: "fired", job: { id: jobs.body.items[0].id, state: "completed" } });
      expect((await call("GET", "/schedules/minutely/explain?at=2026-01-05T10:00")).body.outcome).toBe("fired");
      await belfry.close();
    });

    test("registering again changes nothing; PATCH changes what it names; DELETE removes", async ({ call, belfry }) => {
      const json = { expression: "0 9 * * *", task: "report", catchUp: { within: "6h", max: 3 }, tags: ["daily"] };
      expect((await call("PUT", "/schedules/daily", { json })).body.status).toBe("created");
      expect((await call("PUT", "/schedules/daily", { json })).body.status).toBe("unchanged");
      const changed = await call("PATCH", "/schedules/daily", { json: { timeZone: "Asia/Tokyo", catchUp: null } });
      expect(changed.body).toMatchObject({
        status: "updated",
        schedule: { definition: { timeZone: "Asia/Tokyo", catchUp: "all", expression: "0 9 * * *", tags: ["daily"] } },
      });
      expect((await call("DELETE", "/schedules/daily")).body).toEqual({ removed: true });
      expect((await call("DELETE", "/schedules/daily")).body).toEqual({ removed: false });
      expect(problemIn(await call("GET", "/schedules/daily"))).toMatchObject({ status: 404, code: "SCHEDULE_UNKNOWN" });
      await belfry.close();
    });

    test("pauses, resumes, triggers, backfills and previews", async ({ call, clock, belfry }) => {
      await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring", input: 1 } });
      expect((await call("POST", "/schedules/s/pause", { json: { note: "rest" } })).body).toMatchObject({
        state: "paused",
        note: "rest",
      });
      clock.jump(5 * MINUTE);
      expect((await call("POST", "/tick?work=false")).body).toMatchObject({ fired: 0 });
      expect((await call("POST", "/schedules/s/resume", { json: {} })).body).toMatchObject({
        state: "active",
        note: null,
      });
      const skipped = await call("GET", "/schedules/s/occurrences");
      expect(skipped.body.items).toMatchObject([{ reason: "paused", count: 5, jobId: null }]);
      const triggered = await call("POST", "/schedules/s/trigger", { json: { input: { by: "hand" } } });
      expect((await call("GET", `/jobs/${triggered.body.jobId}`)).body).toMatchObject({
        input: { by: "hand" },
        schedule: "s",
      });
      const range = { from: START, to: START + 3 * MINUTE };
      expect((await call("POST", "/schedules/s/backfill", { json: range })).body).toMatchObject({ enqueued: 3 });
      expect((await call("POST", "/schedules/s/backfill", { json: range })).body).toMatchObject({
        enqueued: 0,
        existing: 3,
      });
      const preview = await call("GET", "/schedules/s/preview?count=2");
      expect(preview.body.items.map((item: { at: number }) => item.at)).toEqual([
        START + 5.5 * MINUTE,
        START + 6.5 * MINUTE,
      ]);
      await belfry.close();
    });

    test("previews and forecasts a schedule that is not registered, and stores nothing", async ({ call, belfry }) => {
      const schedule = { expression: "30 2 * * *", task: "t", timeZone: "Europe/Berlin", catchUp: "latest" };
      const preview = await call("POST", "/schedules/preview", {
        as: "read",
        json: { schedule, from: "2026-03-28", count: 3 },
      });
      expect(preview.body.items.map((item: { local: string }) => item.local)).toEqual([
        "2026-03-28 02:30:00 +01:00",
        "2026-03-30 02:30:00 +02:00",
        "2026-03-31 02:30:00 +02:00",
      ]);
      const forecast = await call("POST", "/schedules/forecast", {
        as: "read",
        json: {
          schedule,
          ...{
            from: "2026-03-01",
            to: "2026-03-06T00:00",
            downtime: [{ from: "2026-03-01T12:00", to: "2026-03-04T12:00" }],
          },
        },
      });
      expect(forecast.body).toMatchObject({ fired: 3, skipped: 2, state: "active", more: false });
      expect(forecast.body.occurrences.map((item: { reason: string | null }) => item.reason)).toEqual([
        null,
        "catch-up",
        null,
        null,
      ]);
      expect((await call("GET", "/schedules")).body.items).toEqual([]);
      await belfry.close();
    });

    test("a schedule may have the name of a fixed path: forecast", async ({ call, belfry }) => {
      await call("PUT", "/schedules/forecast", { json: { expression: "@daily", task: "t" } });
      expect((await call("GET", "/schedules/forecast")).body.name).toBe("forecast");
      expect((await call("POST", "/schedules/forecast/pause")).body.state).toBe("paused");
      expect((await call("DELETE", "/schedules/forecast")).body).toEqual({ removed: true });
      await belfry.close();
    });

    test("lists schedules page by page", async ({ call, belfry }) => {
      for (const letter of ["a", "b", "c", "d", "e"]) {
        await call("PUT", `/schedules/${letter}`, {
          json: { expression: "@hourly", task: "t", paused: letter === "c" },
        });
      }
      const names: string[] = [];
      let path = "/schedules?limit=2";
      for (let pages = 0; pages < 5; pages++) {
        const page = await call("GET", path, { as: "read" });
        names.push(...page.body.items.map((item: { name: string }) => item.name));
        if (page.body.next === null) break;
        path = `/schedules?limit=2&cursor=${page.body.next}`;
      }
      expect(names).toEqual(["a", "b", "c", "d", "e"]);
      expect((await call("GET", "/schedules?state=paused")).body.items).toMatchObject([{ name: "c" }]);
      await belfry.close();
    });

    test("fifty concurrent ticks fire each occurrence once", async ({ call, clock, belfry }) => {
      for (let i = 0; i < 5; i++)
        await call("PUT", `/schedules/s${i}`, { json: { expression: "* * * * *", task: "t" } });
      clock.jump(2 * MINUTE);
      const ticks = await Promise.all(Array.from({ length: 50 }, () => call("POST", "/tick?work=false")));
      expect(ticks.map((tick) => tick.status).filter((status) => status !== 200)).toEqual([]);
      expect(ticks.reduce((sum, tick) => sum + tick.body.fired, 0)).toBe(10);
      const jobs = await call("GET", "/jobs?limit=200");
      expect(
        new Set(
          jobs.body.items.map((job: { schedule: string; scheduledAt: number }) => `${job.schedule} ${job.scheduledAt}`),
        ).size,
      ).toBe(10);
      expect(jobs.body.items.length).toBe(10);
      await belfry.close();
    });
  });

  describe(`app on ${name}: jobs and queues`, () => {
    test("enqueues once per key, runs the job, and shows output and steps", async ({ call, belfry }) => {
      belfry.task("sum", async (ctx, input: number[]) => ctx.step("add", () => input.reduce((a, b) => a + b, 0)));
      const json = { task: "sum", input: [1, 2, 3], key: "once", tags: ["x"] };
      const first = await call("POST", "/jobs", { as: "work", json });
      expect(first).toMatchObject({ status: 201, body: { created: true } });
      expect(await call("POST", "/jobs", { as: "work", json })).toMatchObject({
        status: 200,
        body: { id: first.body.id, created: false },
      });
      expect((await call("POST", "/tick")).body).toMatchObject({ ran: 1 });
      const job = await call("GET", `/jobs/${first.body.id}`, { as: "work" });
      expect(job.body).toMatchObject({ state: "completed", output: 6, input: [1, 2, 3], options: { tags: ["x"] } });
      expect(job.body.steps).toMatchObject([{ name: "add", state: "done", output: 6 }]);
      await belfry.close();
    });

    test("lists jobs newest first, page by page, without gaps when jobs are added between pages", async ({
      call,
      belfry,
    }) => {
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.unshift((await call("POST", "/jobs", { json: { task: "t", input: i } })).body.id);
      const one = await call("GET", "/jobs?limit=2&task=t");
      await call("POST", "/jobs", { json: { task: "t", input: "late" } });
      const two = await call("GET", `/jobs?limit=2&task=t&cursor=${one.body.next}`);
      const three = await call("GET", `/jobs?limit=2&task=t&cursor=${two.body.next}`);
      const pages = [one, two, three].map((page) => page.body.items.map((job: { id: string }) => job.id));
      expect(pages.flat()).toEqual(ids);
      expect(three.body.next).toBeNull();
      await belfry.close();
    });

    test("cancels, retries and signals", async ({ call, belfry }) => {
      belfry.task("wait", async (ctx) => ctx.waitFor("go"));
      const { id } = (await call("POST", "/jobs", { json: { task: "wait" } })).body;
      expect((await call("POST", `/jobs/${id}/cancel`, { as: "work", json: { reason: "no" } })).body.ids).toEqual([id]);
      expect(problemIn(await call("POST", `/jobs/${id}/signals/go`, { json: {} }))).toMatchObject({
        status: 409,
        code: "JOB_STATE",
      });
      expect((await call("POST", `/jobs/${id}/retry`, { as: "work" })).body.ids).toEqual([id]);
      await call("POST", "/tick");
      const signal = { json: { value: { yes: true }, key: "k" } };
      expect((await call("POST", `/jobs/${id}/signals/go`, signal)).body.outcome).toBe("accepted");
      expect((await call("POST", `/jobs/${id}/signals/go`, signal)).body.outcome).toBe("duplicate");
      await call("POST", "/tick");
      expect((await call("GET", `/jobs/${id}`)).body).toMatchObject({ state: "completed", output: { yes: true } });
      await belfry.close();
    });

    test("treats SQL in every string as text", async ({ call, belfry }) => {
      const sql = `'); DROP TABLE belfry_jobs; --"`;
      const at = encodeURIComponent(sql);
      const json = {
        task: sql,
        input: { [sql]: sql },
        key: sql,
        queue: sql,
        tags: [sql],
        limit: { key: sql, concurrency: 1 },
      };
      const { id } = (await call("POST", "/jobs", { json })).body;
      const body = { expression: "@daily", task: sql, input: sql, queue: sql, tags: [sql] };
      expect((await call("PUT", `/schedules/${at}`, { json: body })).status).toBe(200);
      expect((await call("POST", `/schedules/${at}/pause`, { json: { note: sql } })).body).toMatchObject({
        name: sql,
        note: sql,
      });
      expect((await call("GET", `/jobs?queue=${at}&task=${at}&key=${at}`)).body.items).toMatchObject([
        { id, task: sql, key: sql },
      ]);
      expect((await call("GET", `/jobs?schedule=${at}&parent=${at}`)).body.items).toEqual([]);
      const claim = (await call("POST", `/queues/${at}/claim`, { json: { worker: sql, tasks: [sql] } })).body;
      expect(claim.jobs).toMatchObject([{ id, input: { [sql]: sql } }]);
      const settle = {
        token: claim.token,
        outcome: "failed",
        error: { name: sql, message: sql, code: sql, stack: sql },
        fatal: true,
      };
      await call("POST", `/jobs/${id}/steps`, {
        json: { token: claim.token, steps: [{ name: sql, output: sql }], progress: sql },
      });
      expect((await call("POST", `/jobs/${id}/settle`, { json: settle })).body).toMatchObject({ state: "failed" });
      const job = (await call("GET", `/jobs/${id}`)).body;
      expect(job).toMatchObject({
        worker: sql,
        progress: sql,
        error: { message: sql },
        steps: [{ name: sql, output: sql }],
      });
      await belfry.close();
    });

    test("enqueues, retries and cancels many at once; a dry run changes nothing", async ({ call, belfry }) => {
      belfry.task("bad", () => {
        throw new Error("no");
      });
      const jobs = [
        { task: "bad", retry: false },
        { task: "bad", retry: false, key: "k" },
        { task: "other", queue: "far" },
      ];
      const made = await call("POST", "/jobs/enqueue", { as: "work", json: { jobs } });
      expect(made.body.jobs).toMatchObject([{ created: true }, { created: true }, { created: true }]);
      const ids = made.body.jobs.map((job: { id: string }) => job.id) as string[];
      const again = await call("POST", "/jobs/enqueue", { as: "work", json: { jobs: [jobs[1]] } });
      expect(again.body.jobs).toEqual([{ id: ids[1], created: false }]);
      await call("POST", "/tick");
      const failed = [ids[1], ids[0]];
      const json = { filter: { task: "bad" } };
      expect((await call("POST", "/jobs/retry", { json: { ...json, dryRun: true } })).body.ids).toEqual(failed);
      expect((await call("GET", `/jobs/${ids[0]}`)).body.state).toBe("failed");
      expect((await call("POST", "/jobs/retry", { json })).body.ids).toEqual(failed);
      const cancelled = await call("POST", "/jobs/cancel", { json: { filter: { queue: "far" }, reason: "enough" } });
      expect(cancelled.body.ids).toEqual([ids[2]]);
      expect((await call("GET", `/jobs/${ids[2]}`)).body).toMatchObject({
        state: "cancelled",
        error: { message: "enough" },
      });
      const wrong = await call("POST", "/jobs/retry", { json: { filter: { states: ["completed"] } } });
      expect(problemIn(wrong)).toMatchObject({ status: 409, code: "JOB_STATE" });
      expect(problemIn(await call("POST", "/jobs/retry", { json: { filter: { taks: "bad" } } }))).toMatchObject({
        status: 400,
        issues: [{ path: "body.filter.taks" }],
      });
      await belfry.close();
    });

    test("shows and sets queues", async ({ call, belfry }) => {
      await call("POST", "/jobs", { json: { task: "t", queue: "mail" } });
      await call("POST", "/jobs", { json: { task: "t", queue: "mail", delay: "1h" } });
      expect((await call("POST", "/queues/mail/pause")).body).toMatchObject({ paused: true });
      expect((await call("POST", "/queues/mail/claim", { json: { worker: "w" } })).body.jobs).toEqual([]);
      expect((await call("POST", "/queues/mail/resume")).body).toMatchObject({ paused: false });
      const set = await call("PATCH", "/queues/mail", { json: { concurrency: 2, rate: { count: 5, per: "1m" } } });
      expect(set.body).toEqual({ name: "mail", paused: false, concurrency: 2, rate: { count: 5, perMs: MINUTE } });
      const queues = await call("GET", "/queues", { as: "read" });
      expect(queues.body.items).toMatchObject([
        { name: "mail", ready: 1, scheduled: 1, concurrency: 2, rate: { count: 5, perMs: MINUTE } },
      ]);
      await belfry.close();
    });
  });

  describe(`app on ${name}: job protocol`, () => {
    test("claims, saves steps, settles; another worker takes over the job of a dead one with its history", async ({
      call,
      clock,
      belfry,
    }) => {
      const { id } = (await call("POST", "/jobs", { json: { task: "resize", input: { n: 2 }, queue: "img" } })).body;
      const one = await call("POST", "/queues/img/claim", {
        as: "work",
        json: { worker: "py-1", tasks: ["resize"], for: "30s" },
      });
      const token: string = one.body.token;
      expect(one.body.jobs).toMatchObject([{ id, attempt: 1, fence: 1, input: { n: 2 }, steps: [] }]);
      const renewed = await call("POST", `/jobs/${id}/renew`, { as: "work", json: { token, for: "30s" } });
      expect(renewed.body).toEqual({ claimExpiresAt: START + 30_000 });
      const save = { token, steps: [{ name: "load", output: [1, 2] }, { name: "scale" }], progress: { done: 0.5 } };
      expect((await call("POST", `/jobs/${id}/steps`, { as: "work", json: save })).body).toMatchObject({
        state: "running",
      });
      // The answer was lost, so it is sent again; another output of a step that is saved changes nothing.
      const again = { token, steps: [{ name: "load", output: "other" }] };
      await call("POST", `/jobs/${id}/steps`, { as: "work", json: again });

      clock.jump(31_000);
      const two = await call("POST", "/queues/img/claim", { as: "work", json: { worker: "py-2" } });
      expect(two.body.jobs).toMatchObject([
        {
          id,
          attempt: 2,
          fence: 2,
          steps: [
            { name: "load", output: [1, 2] },
            { name: "scale", state: "done" },
          ],
        },
      ]);
      for (const path of ["renew", "steps", "settle"]) {
        const json = {
          token,
          ...(path === "steps" ? { steps: [] } : {}),
          ...(path === "settle" ? { outcome: "completed" } : {}),
        };
        const late = await call("POST", `/jobs/${id}/${path}`, { as: "work", json });
        expect(problemIn(late)).toMatchObject({ status: 409, code: "CLAIM_LOST" });
      }
      const settle = {
        token: two.body.token,
        outcome: "completed",
        output: { w: 10 },
        steps: [{ name: "store", output: "ok" }],
      };
      expect((await call("POST", `/jobs/${id}/settle`, { as: "work", json: settle })).body).toMatchObject({
        state: "completed",
      });
      // Sent again because the answer was lost: the same answer.
      expect((await call("POST", `/jobs/${id}/settle`, { as: "work", json: settle })).body).toMatchObject({
        state: "completed",
      });
      // A second settlement that says something else is refused, and nobody is told that it was stored.
      for (const other of [{ output: { w: 11 } }, { steps: [] }, { outcome: "released", output: undefined }]) {
        const second = await call("POST", `/jobs/${id}/settle`, { as: "work", json: { ...settle, ...other } });
        expect(problemIn(second)).toMatchObject({ status: 409, code: "CLAIM_LOST" });
      }
      const job = await call("GET", `/jobs/${id}`);
      expect(job.body).toMatchObject({ state: "completed", output: { w: 10 }, progress: { done: 0.5 } });
      expect(job.body.steps.map((step: { name: string }) => step.name)).toEqual(["load", "scale", "store"]);
      await belfry.close();
    });

    test("a job whose workers died in all its attempts fails when it is claimed next, as in the engine's worker", async ({
      call,
      clock,
      belfry,
    }) => {
      const json = { task: "t", queue: "q", retry: { maxAttempts: 2 } };
      const { id } = (await call("POST", "/jobs", { json })).body;
      const claim = async () => {
        const answer = await call("POST", "/queues/q/claim", {
          as: "work",
          json: { worker: "w", for: "1s", limit: 5 },
        });
        clock.jump(2_000);
        return answer.body.jobs.map((job: { attempt: number }) => job.attempt) as number[];
      };
      expect([await claim(), await claim()]).toEqual([[1], [2]]);
      const other = (await call("POST", "/jobs", { json: { task: "t", queue: "q" } })).body;
      expect(await claim()).toEqual([1]);
      const job = (await call("GET", `/jobs/${id}`)).body;
      expect(job).toMatchObject({ state: "failed", error: { code: "CLAIM_LOST", message: /used up its 2 attempts/ } });
      expect((await call("GET", `/jobs/${other.id}`)).body.state).toBe("running");
      await belfry.close();
    });

    test("a job of which a part cannot be read fails alone; the others of the claim are handed out", async ({
      call,
      clock,
      belfry,
    }) => {
      const job = (id: string, input: string) => ({
        ...{ id, task: "t", queue: "q", priority: 0, availableAt: clock.now(), expiresAt: null, key: null, input },
        ...{ options: "{}", schedule: null, scheduledAt: null, parentId: null, limit: null },
      });
      await belfry.engine.open();
      const jobs = [job("a", "1"), job("b", "{not json"), job("c", "3")];
      await belfry.engine.storage.enqueue({ op: "raw", now: clock.now(), jobs });
      const claim = await call("POST", "/queues/q/claim", { as: "work", json: { worker: "w", limit: 5 } });
      expect(claim.body.jobs.map((job: { id: string }) => job.id).sort()).toEqual(["a", "c"]);
      expect((await call("GET", "/jobs/b")).body).toMatchObject({
        state: "failed",
        error: { code: "PAYLOAD_UNREADABLE" },
      });
      await belfry.close();
    });

    test("a claim that is sent again gives the same jobs and no others", async ({ call, belfry }) => {
      for (let i = 0; i < 4; i++) await call("POST", "/jobs", { json: { task: "t", input: i } });
      const json = { worker: "w", limit: 2, token: "claim-token-of-my-own" };
      const one = await call("POST", "/queues/default/claim", { json });
      const two = await call("POST", "/queues/default/claim", { json });
      expect(one.body.jobs.length).toBe(2);
      expect(two.body.jobs.map((job: { id: string }) => job.id).sort()).toEqual(
        one.body.jobs.map((job: { id: string }) => job.id).sort(),
      );
      await belfry.close();
    });

    test("a failed attempt is retried by its policy or after retryIn; a fatal one is not", async ({
      call,
      clock,
      belfry,
    }) => {
      const retry = { maxAttempts: 2, initial: "1m", backoff: "constant", jitter: "none" };
      const fail = async (json: object): Promise<{ state: string; availableAt: number | null }> => {
        const { token, jobs } = (await call("POST", "/queues/default/claim", { json: { worker: "w" } })).body;
        const error = { name: "ValueError", message: "bad pixel", stack: "in resize.py" };
        return (
          await call("POST", `/jobs/${jobs[0].id}/settle`, { json: { token, outcome: "failed", error, ...json } })
        ).body;
      };
      const { id } = (await call("POST", "/jobs", { json: { task: "t", retry } })).body;
      expect(await fail({})).toMatchObject({ state: "ready", availableAt: START + MINUTE });
      clock.jump(MINUTE);
      expect(await fail({})).toMatchObject({ state: "failed", availableAt: null });
      expect((await call("GET", `/jobs/${id}`)).body).toMatchObject({
        attempt: 2,
        error: { name: "ValueError", message: "bad pixel", stack: "in resize.py" },
      });
      await call("POST", "/jobs", { json: { task: "t", retry } });
      expect(await fail({ retryIn: "5m" })).toMatchObject({ state: "ready", availableAt: START + 6 * MINUTE });
      await call("POST", "/jobs", { json: { task: "t", retry } });
      expect(await fail({ fatal: true })).toMatchObject({ state: "failed" });
      await belfry.close();
    });

    test("a job sleeps, is released, and waits for a signal", async ({ call, clock, belfry }) => {
      const { id } = (await call("POST", "/jobs", { json: { task: "t" } })).body;
      const claim = async () => (await call("POST", "/queues/default/claim", { json: { worker: "w" } })).body;
      const settle = async (token: string, json: object) =>
        (await call("POST", `/jobs/${id}/settle`, { json: { token, ...json } })).body;
      let { token, jobs } = await claim();
      expect(await settle(token, { outcome: "sleeping", for: "10m" })).toMatchObject({
        state: "ready",
        availableAt: START + 10 * MINUTE,
      });
      expect((await claim()).jobs).toEqual([]);
      clock.jump(10 * MINUTE);
      ({ token, jobs } = await claim());
      expect(jobs).toMatchObject([{ attempt: 1, fence: 2 }]);
      expect(await settle(token, { outcome: "released" })).toMatchObject({ state: "ready" });
      ({ token, jobs } = await claim());
      expect(await settle(token, { outcome: "waiting", arrivals: jobs[0].arrivals, for: "1h" })).toMatchObject({
        state: "waiting",
      });
      await call("POST", `/jobs/${id}/signals/go`, { json: { value: 7 } });
      ({ token, jobs } = await claim());
      expect(jobs).toMatchObject([{ attempt: 1, arrivals: 1, signals: [{ name: "go", value: 7 }] }]);
      // One that came meanwhile makes it ready at once.
      await call("POST", `/jobs/${id}/signals/go`, { json: { value: 8 } });
      expect(await settle(token, { outcome: "waiting", arrivals: jobs[0].arrivals })).toMatchObject({ state: "ready" });
      await belfry.close();
    });
  });

  describe(`app on ${name}: health, metrics and caching`, () => {
    test("health is only ok without the scope read, and 503 when nothing ticks", async ({ call, clock, belfry }) => {
      await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "t" } });
      expect(await call("GET", "/health", { as: null })).toMatchObject({ status: 200, body: { ok: true } });
      clock.jump(10 * MINUTE);
      const stranger = await call("GET", "/health", { as: null });
      expect([stranger.status, stranger.body]).toEqual([503, { ok: false }]);
      const reader = await call("GET", "/health", { as: "read" });
      expect(reader).toMatchObject({
        status: 503,
        body: { problems: [{ code: "no-ticker" }], schedules: { active: 1 } },
      });
      await call("POST", "/tick?work=false");
      expect((await call("GET", "/health?deep=true")).body).toMatchObject({ ok: true, lagMs: 0 });
      await belfry.close();
    });

    test("metrics have depths and counters", async ({ call, clock, belfry }) => {
      belfry.task("ring", () => {});
      await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
      clock.jump(31_000);
      await call("POST", "/tick");
      await call("POST", "/jobs", { json: { task: "else", queue: 'q"uote\\d' } });
      const { text, headers } = await call("GET", "/metrics", { as: "read" });
      expect(headers.get("Content-Type")).toContain("text/plain; version=0.0.4");
      expect(text).toContain("belfry_occurrences_fired_total 1\n");
      expect(text).toContain('belfry_jobs_total{task="ring",outcome="completed"} 1\n');
      expect(text).toContain('belfry_queue_jobs{queue="q\\"uote\\\\d",state="ready"} 1\n');
      expect(text).toContain('belfry_schedules{state="active"} 1\n');
      expect(text).toContain("belfry_fire_lateness_seconds_sum 1\n");
      await belfry.close();
    });

    test("a schedule that only skips is a metric, and a problem of health", async ({ call, clock, belfry }) => {
      belfry.task("ring", () => {});
      const json = { expression: "* * * * *", task: "ring", expiresIn: "10s" };
      await call("PUT", "/schedules/s", { json });
      clock.jump(50_000);
      for (let i = 0; i < 3; i++) {
        await call("POST", "/tick");
        clock.jump(MINUTE);
      }
      expect((await call("GET", "/metrics")).text).toContain("belfry_schedules_only_skips 1\n");
      expect(await call("GET", "/health")).toMatchObject({
        status: 503,
        body: { onlySkips: 1, problems: [{ code: "only-skips", schedule: "s" }] },
      });
      await belfry.close();
    });

    test("reads have an ETag, and If-None-Match answers 304", async ({ call, belfry }) => {
      await call("PUT", "/schedules/s", { json: { expression: "@daily", task: "t" } });
      const first = await call("GET", "/schedules/s");
      const tag = first.headers.get("ETag")!;
      expect(tag).toMatch(/^W\/"[0-9a-f]{32}"$/);
      const same = await call("GET", "/schedules/s", { headers: { "If-None-Match": `"other", ${tag}` } });
      expect([same.status, same.text]).toEqual([304, ""]);
      await call("PATCH", "/schedules/s", { json: { priority: 3 } });
      expect((await call("GET", "/schedules/s", { headers: { "If-None-Match": tag } })).status).toBe(200);
      await belfry.close();
    });
  });
}
