/**
 * The systems under measurement behind one interface: start, run one execution, stop.
 *
 * An execution is a task of n steps, each of which returns a number at once, or a parent that invokes a child of one
 * step; it counts when its result is in the caller's hands. Each system runs as its own documentation begins.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { memory } from "../../adapters/memory.ts";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";
import type { Storage } from "../../src/storage/port.ts";

/** One execution: so many steps, or a child. */
export type Shape = { steps: number } | { child: true };

/** A system that is running. */
export interface System {
  /** Runs one execution to its result. */
  execute(shape: Shape): Promise<number>;
  stop(): Promise<void>;
}

/** What a system may use. */
export interface Setting {
  callers: number;
  /** Address of an empty PostgreSQL database. */
  url: string;
}

const require = createRequire(new URL("../package.json", import.meta.url));

/** Imports a peer from the folder of the benches. */
async function peer<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(require.resolve(name)).href)) as Module;
}

async function belfryOn(
  storage: Storage,
  setting: Setting,
  after: () => Promise<void> = async () => {},
): Promise<System> {
  const belfry = new Belfry({ storage, concurrency: Math.max(10, setting.callers * 2) });
  const steps = belfry.task("steps", async (ctx, count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += await ctx.step(`s${i}`, async () => i);
    return sum;
  });
  const child = belfry.task("child", async (ctx, input: number) => ctx.step("s", async () => input));
  const parent = belfry.task("parent", async (ctx) => ctx.invoke("child", child, 1));
  const stop = new AbortController();
  const running = belfry.run({ signal: stop.signal, schedule: false });
  return {
    async execute(shape) {
      const handle = "child" in shape ? await belfry.enqueue(parent) : await belfry.enqueue(steps, shape.steps);
      return handle.result();
    },
    async stop() {
      stop.abort();
      await running;
      await belfry.close();
      await after();
    },
  };
}

async function resonateLocal(): Promise<System> {
  interface Ctx {
    run<T>(run: (ctx: Ctx) => T): Generator<unknown, T>;
    rpc<T>(name: string, ...args: unknown[]): Generator<unknown, T>;
  }
  interface Sdk {
    Resonate: new (options: {
      logLevel: "error";
    }) => {
      register(name: string, run: (ctx: Ctx, ...args: never[]) => unknown): unknown;
      run(id: string, name: string, ...args: unknown[]): Promise<number>;
      stop(): void;
    };
  }
  const { Resonate } = await peer<Sdk>("@resonatehq/sdk");
  const resonate = new Resonate({ logLevel: "error" });
  resonate.register("steps", function* (ctx: Ctx, count: number) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (yield* ctx.run(() => i)) as number;
    return sum;
  });
  resonate.register("child", function* (ctx: Ctx, input: number) {
    return yield* ctx.run(() => input);
  });
  resonate.register("parent", function* (ctx: Ctx) {
    return yield* ctx.rpc("child", 1);
  });
  let count = 0;
  return {
    execute: (shape) =>
      "child" in shape
        ? resonate.run(`job-${++count}`, "parent")
        : resonate.run(`job-${++count}`, "steps", shape.steps),
    stop: async () => resonate.stop(),
  };
}

async function dbosPostgres({ url }: Setting): Promise<System> {
  interface Sdk {
    DBOS: {
      setConfig(config: { name: string; systemDatabaseUrl: string; logLevel: string; runAdminServer: boolean }): void;
      launch(): Promise<void>;
      shutdown(): Promise<void>;
      registerWorkflow<Args extends unknown[]>(
        run: (...args: Args) => Promise<number>,
        config: { name: string },
      ): (...args: Args) => Promise<number>;
      runStep(run: () => Promise<number>, config: { name: string }): Promise<number>;
    };
  }
  const { DBOS } = await peer<Sdk>("@dbos-inc/dbos-sdk");
  const steps = DBOS.registerWorkflow(
    async (count: number) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += await DBOS.runStep(async () => i, { name: `s${i}` });
      return sum;
    },
    { name: "steps" },
  );
  const child = DBOS.registerWorkflow((input: number) => DBOS.runStep(async () => input, { name: "s" }), {
    name: "child",
  });
  const parent = DBOS.registerWorkflow(() => child(1), { name: "parent" });
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", runAdminServer: false });
  await DBOS.launch();
  return { execute: (shape) => ("child" in shape ? parent() : steps(shape.steps)), stop: () => DBOS.shutdown() };
}

/** By name. */
export const SYSTEMS: Record<string, (setting: Setting) => Promise<System>> = {
  "belfry memory": (setting) => belfryOn(memory(), setting),
  "resonate local": () => resonateLocal(),
  "belfry sqlite": (setting) => {
    const folder = mkdtempSync(join(tmpdir(), "belfry-bench-"));
    return belfryOn(sqlite(join(folder, "jobs.db")), setting, async () => rmSync(folder, { recursive: true }));
  },
  "belfry postgres": async (setting) => {
    const { Pool } = (await import("pg")).default;
    const pool = new Pool({ connectionString: setting.url, max: 10 });
    return belfryOn(postgres(pool as never), setting, () => pool.end());
  },
  "dbos postgres": dbosPostgres,
};
