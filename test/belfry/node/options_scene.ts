/** What the options tests call: an engine with a schedule, a job that waits, and the rows of the table of calls. */
import type { Belfry } from "../../../mod.ts";
import { createTestBelfry, type TestBelfry } from "../../../src/testing/mod.ts";

/** What a call is made on. */
export interface Scene {
  t: TestBelfry;
  b: Belfry;
  /** A job that waits. */
  jobId: string;
}

/** Hands an options object to one place. */
type Call = (options: never, scene: Scene) => unknown;

/** One options type. */
export interface Row {
  /** An object of it that is taken. */
  valid: object;
  /** Every place that takes it, as the finder names it. */
  places: Readonly<Record<string, Call>>;
}

/** Where a schedule named `daily` is stored and a job waits. */
export async function scene(): Promise<Scene> {
  const t = createTestBelfry({ start: "2026-03-01T08:00:00Z" });
  t.belfry.task("known", (ctx) => ctx.waitFor("go"));
  const { id: jobId } = await t.belfry.enqueue("known");
  await t.belfry.schedule("daily", "0 9 * * *", "known");
  await t.settle();
  return { t, b: t.belfry, jobId };
}
