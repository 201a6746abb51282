/**
 * Does the whole way work: schedule, tick, job, crash, resume? A small suite that runs on every runtime and every storage;
 * the details are covered by the tests of each folder.
 */
import { describe, expect, it } from "vitest";
import { Belfry } from "../../mod.ts";
import type { Storage } from "../../src/storage/port.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";

const MONDAY = Date.UTC(2026, 0, 5, 8, 59, 30);

/** Opens another connection to the same data, which is empty at first. */
export type Connect = () => Storage | Promise<Storage>;

/** Runs the smoke suite on one kind of storage. */
export function smokeSuite(name: string, fresh: () => Connect | Promise<Connect>): void {
  let seed = 0;
  const engine = async (connect: Connect, clock: FakeClock): Promise<Belfry> =>
    new Belfry({
      storage: await connect(),
      clock,
      ids: countedIds(++seed),
      retention: { finished: "100d" },
      onError: (error) => expect.fail(String(error)),
    });

  describe(`Belfry on ${name}`, () => {
    it("a schedule fires each occurrence once, and the job knows it", async () => {
      const clock = new FakeClock(MONDAY);
      const belfry = await engine(await fresh(), clock);
      const ran: unknown[] = [];
      const task = belfry.task("ring", (ctx, input: { tower: string }) => {
        ran.push([ctx.job.schedule, ctx.job.scheduledAt, input.tower]);
        return ran.length;
      });
      const made = await belfry.schedule("nine", "0 9 * * MON-FRI", task, {
        input: { tower: "north" },
        timeZone: "Europe/Berlin",
      });
      expect(made).toMatchObject({ status: "created", nextAt: Date.UTC(2026, 0, 6, 8) });
      await belfry.schedule("minutely", "* * * * *", task, { input: { tower: "south" } });

      expect(await belfry.tick()).toMatchObject({ leader: true, fired: 0, ran: 0 });
      clock.jump(60_000);
      expect(await belfry.tick()).toMatchObject({ fired: 1, ran: 1 });
      expect(await belfry.tick()).toMatchObject({ fired: 0, ran: 0 });
      expect(ran).toEqual([["minutely", Date.UTC(2026, 0, 5, 9), "south"]]);
      await belfry.close();
    });

    it("missed occurrences fire in order, and registering again does not move the next occurrence", async () => {
      const connect = await fresh();
      const clock = new FakeClock(MONDAY);
      const order: number[] = [];
      const start = async () => {
        const belfry = await engine(connect, clock);
        const task = belfry.task("ring", (ctx) => void order.push(ctx.job.scheduledAt!));
        return { belfry, made: await belfry.schedule("ten", "@every 10m", task) };
      };
      const first = await start();
      clock.jump(25 * 60_000);
      const second = await start();
      expect(second.made).toMatchObject({ status: "unchanged", nextAt: first.made.nextAt });
      clock.jump(20 * 60_000);
      expect(await second.belfry.tick()).toMatchObject({ fired: 4, ran: 4 });
      expect(order).toEqual([1, 2, 3, 4].map((k) => MONDAY + k * 600_000));
      await first.belfry.close();
      await second.belfry.close();
    });

    it("a job survives the death of its worker, and its finished step does not run again", async () => {
      const connect = await fresh();
      const runs = { load: 0, send: 0 };
      const define = (belfry: Belfry, crash: boolean, reached: () => void) =>
        belfry.task("mail", async (ctx) => {
          const rows = await ctx.step("load", () => ++runs.load);
          await ctx.step("send", async () => {
            runs.send++;
            if (crash) {
              reached();
              await new Promise(() => {});
            }
          });
          return { rows, attempt: ctx.job.attempt, fence: ctx.fence };
        });
      // The clock of the one that crashes stands still from then on: it renews nothing.
      const dead = await engine(connect, new FakeClock(MONDAY));
      const crashed = new Promise<void>((resolve) => define(dead, true, resolve));
      const job = await dead.enqueue("mail");
      void dead.tick();
      await crashed;

      const clock = new FakeClock(MONDAY + 20_000);
      const alive = await engine(connect, clock);
      define(alive, false, () => {});
      expect(await alive.tick()).toMatchObject({ ran: 0 });
      clock.jump(11_000);
      expect(await alive.tick()).toMatchObject({ ran: 1 });
      expect(await alive.job(job.id).result()).toEqual({ rows: 1, attempt: 2, fence: 2 });
      expect(runs).toEqual({ load: 1, send: 2 });
      await alive.close();
    });

    it("a sleeping job holds no claim and resumes where it was", async () => {
      const connect = await fresh();
      const clock = new FakeClock(MONDAY);
      const define = (belfry: Belfry) =>
        belfry.task("slow", async (ctx) => {
          const before = ctx.now();
          await ctx.sleep("settle", "10m");
          return [before, ctx.now(), ctx.job.attempt];
        });
      const one = await engine(connect, clock);
      const job = await one.enqueue(define(one));
      expect(await one.tick()).toMatchObject({ ran: 1, jobsAt: MONDAY + 600_000 });
      expect(await job.status()).toBe("ready");
      await one.close();

      clock.jump(600_000);
      const two = await engine(connect, clock);
      define(two);
      expect(await two.tick()).toMatchObject({ ran: 1 });
      expect(await two.job(job.id).result()).toEqual([MONDAY, MONDAY + 600_000, 1]);
      await two.close();
    });

    it("a failing job is tried again later, and ends as failed", async () => {
      const clock = new FakeClock(MONDAY);
      const belfry = await engine(await fresh(), clock);
      let tries = 0;
      const task = belfry.task(
        "broken",
        () => {
          throw new Error(`no ${++tries}`);
        },
        { retry: { maxAttempts: 2, initial: "1m", backoff: "constant", jitter: "none" } },
      );
      const job = await belfry.enqueue(task, undefined, { key: "once" });
      expect((await belfry.enqueue(task, undefined, { key: "once" })).id).toBe(job.id);
      await belfry.tick();
      expect(await job.status()).toBe("ready");
      clock.jump(60_000);
      await belfry.tick();
      expect(await job.status()).toBe("failed");
      expect(await belfry.jobs.list({ states: ["failed"] })).toMatchObject([
        { id: job.id, attempt: 2, error: { message: "no 2" } },
      ]);
      await expect(belfry.job(job.id).result()).rejects.toMatchObject({ code: "JOB_FAILED" });
      await belfry.close();
    });
  });
}
