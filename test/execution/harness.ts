/**
 * The test bench of execution: engines on one storage with a clock that is moved by hand, and workers that can "crash". The
 * calls of a crashed worker reach no storage and are never answered, as after kill -9.
 */
import { memory } from "../../adapters/memory.ts";
import { CorrectedClock } from "../../src/base/clock.ts";
import { type Codec, plainCodec } from "../../src/base/codec.ts";
import { silentLogger } from "../../src/base/log.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EventMap, EventName } from "../../src/engine/events.ts";
import { JobHandle } from "../../src/job/handle.ts";
import { insertJobs, newJob } from "../../src/job/make.ts";
import { getJob, type Job } from "../../src/job/view.ts";
import type { Storage } from "../../src/storage/port.ts";
import type { EnqueueOptions } from "../../src/task/options.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import type { TaskReference } from "../../src/task/task.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";
import { Worker, type WorkerOptions } from "../../src/worker/worker.ts";

interface Gate {
  dead: boolean;
  /** Calls until it dies. */
  left: number;
  arrives: boolean;
  calls: Record<string, number>;
}

/** One engine with its worker, as one process would hold them. */
export class Node {
  readonly engine: Engine;
  readonly worker: Worker;
  readonly errors: unknown[] = [];
  readonly #stop = new AbortController();
  readonly #gate: Gate;
  #running: Promise<void> | undefined;

  constructor(
    bench: Bench,
    seed: number,
    options: Partial<WorkerOptions> & { codec?: Codec; tasks?: TaskRegistry } = {},
  ) {
    const gate: Gate = { dead: false, left: Infinity, arrives: false, calls: {} };
    this.#gate = gate;
    const storage = mortal(bench.storage, gate);
    const errors = this.errors;
    const report = (error: unknown): void => void errors.push(error);
    this.engine = createEngine({
      storage,
      clock: new CorrectedClock(bench.clock),
      ids: countedIds(seed),
      codec: options.codec ?? plainCodec,
      tasks: options.tasks ?? bench.tasks,
      logger: silentLogger,
      timeZone: "UTC",
      temporal: undefined,
      holder: `node-${seed}`,
      open: async () => {},
      report,
    });
    this.worker = new Worker(this.engine, { concurrency: 10, claimTtlMs: 30_000, ...options });
  }

  /** Starts the worker's loop. */
  start(): this {
    void this.engine.storage.listen?.(() => this.worker.wake());
    this.#running = this.worker.run(this.#stop.signal);
    return this;
  }

  /** Stops as a clean shutdown does. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Dies: from now on no call reaches the storage, and none is answered. */
  crash(): void {
    this.#gate.dead = true;
  }

  /** Dies at the storage call after so many more; `arrives`: that call reaches the storage, but its answer is lost. */
  crashAfter(calls: number, arrives: boolean): void {
    this.#gate.left = calls;
    this.#gate.arrives = arrives;
  }

  /** Whether it is dead. */
  get dead(): boolean {
    return this.#gate.dead;
  }

  /** How often it has called the storage. */
  get calls(): Record<string, number> {
    return this.#gate.calls;
  }

  /** Listens to events and keeps what came. */
  record<Name extends EventName>(name: Name): EventMap[Name][] {
    const seen: EventMap[Name][] = [];
    this.engine.events.on(name, (payload) => void seen.push(payload));
    return seen;
  }

  async enqueue<Output = unknown>(
    task: TaskReference,
    input?: unknown,
    options?: EnqueueOptions,
  ): Promise<JobHandle<Output>> {
    const [inserted] = await insertJobs(this.engine, [await newJob(this.engine, task, input, options)]);
    return new JobHandle<Output>(this.engine, inserted!.id, inserted!.created);
  }

  async job(id: string): Promise<Job> {
    const job = await getJob(this.engine, id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }
}

/** A storage, a clock, tasks, and any number of nodes on them. */
export class Bench {
  readonly clock: FakeClock = new FakeClock();
  readonly storage: Storage;
  readonly tasks: TaskRegistry = new TaskRegistry();
  #nodes = 0;

  constructor(storage: Storage = memory()) {
    this.storage = storage;
  }

  /** A node that is not started. */
  node(options: Partial<WorkerOptions> & { codec?: Codec; tasks?: TaskRegistry } = {}): Node {
    return new Node(this, ++this.#nodes, options);
  }

  /** A started node. */
  start(options: Partial<WorkerOptions> & { codec?: Codec; tasks?: TaskRegistry } = {}): Node {
    return this.node(options).start();
  }
}

/** Wraps a storage for a process that may die: then calls neither arrive nor return. */
function mortal(storage: Storage, gate: Gate): Storage {
  const never = new Promise<never>(() => {});
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        if (gate.dead) return never;
        gate.calls[String(key)] = (gate.calls[String(key)] ?? 0) + 1;
        if (gate.left-- <= 0) {
          gate.dead = true;
          if (!gate.arrives) return never;
        }
        const answer = await (value as (...args: unknown[]) => unknown).apply(target, args);
        return gate.dead ? never : answer;
      };
    },
  });
}
