/**
 * How does a simulated world run? Hosts with engines share one storage, and a seed decides everything that happens.
 *
 * It runs a number of steps with faults and clients, each checked by the oracle, and then quiesces: faults stop, clocks are
 * corrected, schedules are paused, and all work must finish. The same seed, plan and actions give the same run again, step
 * by step.
 */

import { delay } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry } from "../../../src/belfry.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { type Random, seededRandom } from "../../../src/testing/random.ts";
import { type Action, act, drawActions, editedBy, QUEUES } from "./actions.ts";
import { Host, type Network } from "./host.ts";
import { STARTS } from "./instants.ts";
import { Oracle } from "./oracle.ts";
import { drawPlan, type Fault } from "./plan.ts";
import { quiesce } from "./quiesce.ts";
import { type Op, playScript, type ScriptHost } from "./script.ts";
import { Timeline } from "./timeline.ts";
import { type MakeWorldStorage, memoryWorldStorage, type WorldStorage } from "./world_storage.ts";

/** Options of {@link runWorld}. */
export interface WorldOptions {
  readonly seed: number;
  /** Steps with faults; quiescing takes some more. */
  readonly steps: number;
  /** Faults instead of those that the seed draws. */
  readonly plan?: readonly Fault[] | undefined;
  /** Actions of clients instead of those that the seed draws. */
  readonly actions?: readonly Action[] | undefined;
  /** Wraps the storage that engines use: for tests that break a guard on purpose. */
  readonly wrap?: ((storage: Storage) => Storage) | undefined;
  /** Opens the storage that the hosts share. @default the memory storage */
  readonly storage?: (() => Promise<MakeWorldStorage>) | undefined;
}

/** What happened in a world. */
export interface WorldReport {
  seed: number;
  /** All steps, those of quiescing included. */
  steps: number;
  /** The first violation; null when there was none. */
  violation: string | null;
  /** The step at which it was found. */
  violatedAt: number | null;
  plan: Fault[];
  actions: Action[];
  /** Number of injected faults by kind. */
  injected: Record<string, number>;
  /** Requests that reached the storage. */
  requests: number;
  jobs: number;
  occurrences: number;
  /** Moves of schedules that were checked to leave out no occurrence. */
  covered: number;
  /** True time that passed, ms. */
  simulatedMs: number;
  /** A hash of all that happened: equal for two runs of one world. */
  trace: number;
}

/** Runs a world. A violation is reported, not thrown. */
export async function runWorld(options: WorldOptions): Promise<WorldReport> {
  const world = new SimulatedWorld(options, options.storage ? await options.storage() : memoryWorldStorage);
  await world.play();
  return world.report();
}

interface Server {
  host: Host;
  belfry: Belfry | null;
  /** Ticks by a trigger instead of running. */
  edge: boolean;
}

class SimulatedWorld {
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #timeline: Timeline;
  readonly #network: Network;
  readonly #oracle: Oracle;
  readonly #worldStorage: WorldStorage;
  readonly #start: number;
  readonly #servers: Server[] = [];
  readonly #plan: readonly Fault[];
  readonly #actions: readonly Action[];
  readonly #injected: Record<string, number> = {};
  /** Schedules that clients edit through a host's present life, a name for each edit. */
  readonly #edits = new Map<Host, string[]>();
  readonly #leaseTtlMs: number;
  readonly #claimTtlMs: number;
  readonly #concurrency: number;
  #requests = 0;
  #sent = 0;
  #trace = 0;
  #violatedAt: number | null = null;
  #faultsAreOver = false;

  constructor(options: WorldOptions, makeStorage: MakeWorldStorage) {
    this.#options = options;
    const { seed, steps } = options;
    const random = seededRandom(seed);
    this.#random = random.fork();
    this.#start = random.chance(0.4) ? STARTS[0]! : random.pick(STARTS);
    const timeline = new Timeline(this.#start, random.fork());
    this.#timeline = timeline;
    const servers = 1 + random.below(4);
    const edges = random.chance(0.3) ? 1 : 0;
    const hosts = servers + edges;
    const hasClock = random.chance(0.5);
    const serverNow = (): number => Math.floor(timeline.now);
    this.#leaseTtlMs = 1000 + random.below(5000);
    this.#claimTtlMs = 1000 + random.below(6000);
    this.#concurrency = 1 + random.below(6);
    this.#worldStorage = makeStorage(hasClock ? serverNow : null);
    const raw = this.#worldStorage.storage;
    const storage = options.wrap ? options.wrap(raw) : raw;
    this.#oracle = new Oracle(this.#worldStorage, { serverNow: hasClock ? serverNow : null, start: this.#start });
    this.#network = {
      timeline,
      storage,
      available: true,
      epoch: 0,
      send: (host, method, request) => {
        const edited = new Set(this.#edits.get(host));
        const sent = ++this.#sent;
        return () => {
          this.#requests++;
          this.#mix(`${host.name} ${method}`);
          return this.#oracle.beginRequest({ host: host.name, method, request, edited, sent });
        };
      },
      isStale: (method, request) => this.#oracle.isStale(method, request),
      done: () => {
        for (const { host } of this.#servers) host.releaseIfStale();
      },
      overtaken: () => this.#count("overtaken"),
    };
    for (let i = 0; i < hosts; i++) {
      const offsetMs = random.below(2) * (random.below(4000) - 2000);
      const host = new Host(`host${i}`, this.#network, random.fork(), { offsetMs, receivesWakes: !random.chance(0.2) });
      this.#servers.push({ host, belfry: null, edge: i >= servers });
    }
    const intensity = random.pick([0, 1, 3, 8]);
    this.#plan = options.plan ?? drawPlan(random.fork(), { steps, hosts, intensity });
    this.#actions = options.actions ?? drawActions(random.fork(), { steps, hosts, count: Math.round(steps / 45) });
  }

  async play(): Promise<void> {
    for (const server of this.#servers) this.#boot(server);
    let fault = 0;
    let action = 0;
    for (let step = 0; step < this.#options.steps && !this.#violated(); step++) {
      while (fault < this.#plan.length && this.#plan[fault]!.step <= step) this.#inject(this.#plan[fault++]!);
      while (action < this.#actions.length && this.#actions[action]!.step <= step) this.#act(this.#actions[action++]!);
      await this.#timeline.step();
    }
    if (!this.#violated()) await this.#quiesce();
    this.#violated();
    for (const { host } of this.#servers) this.#die(host);
  }

  report(): WorldReport {
    const [violation = null] = this.#oracle.violations;
    return {
      seed: this.#options.seed,
      steps: this.#timeline.steps,
      violation,
      violatedAt: this.#violatedAt,
      plan: [...this.#plan],
      actions: [...this.#actions],
      injected: this.#injected,
      requests: this.#requests,
      jobs: this.#oracle.ended,
      occurrences: this.#oracle.schedules.occurrences,
      covered: this.#oracle.schedules.covered,
      simulatedMs: this.#timeline.now - this.#start,
      trace: this.#trace,
    };
  }

  #violated(): boolean {
    if (this.#oracle.violations.length === 0) return false;
    this.#violatedAt ??= this.#timeline.steps;
    return true;
  }

  /** Adds an event to the hash. */
  #mix(what: string): void {
    let hash = this.#trace ^ Math.floor(this.#timeline.now - this.#start);
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.#trace = hash >>> 0;
  }

  // ---------------------------------------------------------------- engines

  #boot(server: Server): void {
    const { host } = server;
    host.up = true;
    const belfry = new Belfry({
      storage: host.storage(),
      clock: host.clock(),
      ids: host.ids(),
      leaseTtl: this.#leaseTtlMs,
      claimTtl: this.#claimTtlMs,
      concurrency: this.#concurrency,
      queues: QUEUES,
      drain: "2s",
      logger: silentLogger,
      onError: (error) => this.#checkError(error),
    });
    const scriptHost = this.#scriptHost(host);
    const retry = { maxAttempts: 3, initial: 200, max: 1000 };
    belfry.task("play", (ctx, script: Op[]) => playScript(scriptHost, ctx, script), { retry });
    belfry.task("quick", () => "quick", { retry });
    server.belfry = belfry;
    if (server.edge) this.#trigger(server, belfry);
    else this.#run(server, belfry);
  }

  /** Runs an engine as a supervisor does: one that cannot open its storage is restarted. */
  #run(server: Server, belfry: Belfry): void {
    const { host } = server;
    const { life } = host;
    belfry.run().catch((error: { code?: string }) => {
      if (host.life !== life) return;
      if (error.code !== "STORAGE_UNAVAILABLE") return this.#fail(error, "run");
      this.#die(host);
      this.#timeline.after(1000, () => !host.up && this.#boot(server));
    });
  }

  /** Calls `tick()` every few seconds, as a platform's trigger does: late, or twice at once. */
  #trigger(server: Server, belfry: Belfry): void {
    const { life } = server.host;
    this.#timeline.after(500 + this.#random.below(6000), () => {
      if (server.host.life !== life) return;
      for (let i = this.#random.below(10) === 0 ? 2 : 1; i > 0; i--) {
        belfry.tick({ budget: "3s" }).catch((error: unknown) => this.#checkError(error));
      }
      this.#trigger(server, belfry);
    });
  }

  #scriptHost(host: Host): ScriptHost {
    const clock = host.clock();
    const { life } = host;
    const alive = (): boolean => host.life === life;
    return {
      sleep: (ms, signal) => delay(clock, ms, signal),
      stepBegins: (jobId, step, fence) => (alive() ? this.#oracle.stepBegins(jobId, step, fence) : 0),
      stepEnds: (jobId, step, fence) => this.#oracle.stepEnds(jobId, step, fence),
      reachesThrow: (jobId, place) => this.#oracle.reachesThrow(jobId, place),
    };
  }

  /** Allows the errors of a faulty network and of lost claims; any other reported error is a violation. */
  #checkError(error: unknown): void {
    const { code, name, message } = error as { code?: string; name?: string; message?: string };
    if (code === "STORAGE_UNAVAILABLE" || code === "CLAIM_LOST" || code === "CLOSED") return;
    this.#fail(error, `an error was reported: ${name} ${code} ${message}`);
  }

  #fail(error: unknown, during: string): void {
    this.#oracle.fail(`${during}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  // ---------------------------------------------------------------- faults and clients

  #inject({ kind, host: index, ms }: Fault): void {
    const server = this.#servers[index % this.#servers.length]!;
    const { host } = server;
    if (!host.up) return;
    this.#count(kind);
    this.#mix(kind);
    switch (kind) {
      case "crash":
        this.#die(host);
        server.belfry = null;
        this.#timeline.after(ms, () => !this.#faultsAreOver && !host.up && this.#boot(server));
        break;
      case "pause":
      case "suspend":
        host.pause(ms, kind === "suspend");
        break;
      case "clock jump":
        host.jump(ms % 2 === 0 ? ms : -ms);
        break;
      case "clock drift":
        host.drift(0.97 + (ms % 7) / 100);
        break;
      case "outage":
        this.#network.available = false;
        this.#timeline.after(ms, () => {
          this.#network.available = true;
        });
        break;
      case "wakes lost":
        host.loseWakes(ms);
        break;
      case "stale write":
        host.staleWrites.push(ms);
        break;
      case "wake late":
      case "wake again":
        host.wakeMishaps.push({ kind, ms });
        break;
      default:
        host.mishaps.push({ kind, ms });
    }
  }

  #count(what: string): void {
    this.#injected[what] = (this.#injected[what] ?? 0) + 1;
  }

  /** Crashes a host: requests that it has sent may still arrive, but its clients edit nothing any more. */
  #die(host: Host): void {
    host.die();
    this.#edits.delete(host);
  }

  #act(action: Action): void {
    const { host, belfry } = this.#servers[action.host % this.#servers.length]!;
    if (!belfry || host.paused) return;
    const { life } = host;
    const edited = editedBy(action);
    if (edited !== null) this.#edits.set(host, [...(this.#edits.get(host) ?? []), edited]);
    act(action, belfry, this.#worldStorage)
      .catch((error: unknown) => {
        if (host.life === life) this.#fail(error, `${action.kind} by a client`);
      })
      .finally(() => {
        const names = this.#edits.get(host);
        if (edited !== null && host.life === life) names?.splice(names.indexOf(edited), 1);
      });
  }

  // ---------------------------------------------------------------- quiescing

  /** Ends all faults and lets the work finish. */
  async #quiesce(): Promise<void> {
    this.#faultsAreOver = true;
    this.#network.available = true;
    // Requests that clients sent long ago must not bring new work now.
    this.#network.epoch++;
    for (const server of this.#servers) {
      server.host.repair();
      if (!server.host.up) this.#boot(server);
    }
    await quiesce({
      worldStorage: this.#worldStorage,
      storage: this.#network.storage,
      oracle: this.#oracle,
      timeline: this.#timeline,
      violated: () => this.#violated(),
    });
  }
}
