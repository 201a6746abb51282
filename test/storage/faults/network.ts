/**
 * A network that misbehaves, between a client and a server: it swallows, delays, cuts, half-closes, resets, or lets a
 * byte through now and then, for each direction by itself. A connection that was swallowed once stays half-open for
 * good, as behind a firewall that has forgotten it; new connections work as soon as the network does.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../src/testing/mod.ts";

/** What happens to what goes one way. */
export type Trouble =
  | { kind: "swallow" }
  | { kind: "delay"; ms: number }
  | { kind: "trickle"; everyMs: number }
  | { kind: "cut" }
  | { kind: "half-close" }
  | { kind: "reset" };

/** Trouble for a while. */
export interface Phase {
  trouble: Trouble;
  direction: "up" | "down" | "both";
  /** Which connections it meets: all, or those of an odd number. */
  some: boolean;
  forMs: number;
}

interface Connection {
  number: number;
  client: Socket;
  upstream: Socket | null;
  /** Directions that never carry anything again. */
  deaf: { up: boolean; down: boolean };
}

/** Draws a script of one to three phases. */
export function drawScript(random: Random): Phase[] {
  return Array.from({ length: 1 + random.below(3) }, () => ({
    trouble: random.pick<Trouble>([
      { kind: "swallow" },
      { kind: "swallow" },
      { kind: "delay", ms: 200 + random.below(3_000) },
      { kind: "trickle", everyMs: 200 + random.below(800) },
      { kind: "cut" },
      { kind: "half-close" },
      { kind: "reset" },
    ]),
    direction: random.pick(["up", "down", "both"] as const),
    some: random.chance(0.3),
    forMs: 300 + random.below(2_500),
  }));
}

/** A proxy before one server. */
export class Network {
  readonly url: string;
  readonly #server: Server;
  readonly #connections: Set<Connection>;
  #phase: Phase | null = null;

  private constructor(server: Server, connections: Set<Connection>, url: string) {
    this.#server = server;
    this.#connections = connections;
    this.url = url;
  }

  /** Opens a proxy before the server of a URL. */
  static async open(target: string): Promise<Network> {
    const { hostname, port } = new URL(target);
    const connections = new Set<Connection>();
    let count = 0;
    const server = createServer((client) => network!.#join(client, Number(port), hostname, count++));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = new URL(target);
    address.port = String((server.address() as { port: number }).port);
    const network: Network = new Network(server, connections, address.href.replace(/\/$/, ""));
    return network;
  }

  /** Connections that are open on this side, half-open ones included. */
  get open(): number {
    return this.#connections.size;
  }

  /** Plays a script; the network is well again when it resolves. */
  async play(script: readonly Phase[]): Promise<void> {
    for (const phase of script) {
      this.#phase = phase;
      for (const connection of this.#connections) if (this.#meets(connection)) strike(connection, phase);
      await sleep(phase.forMs);
    }
    this.#phase = null;
  }

  /** Ends all connections, and the proxy. */
  async close(): Promise<void> {
    for (const { client, upstream } of this.#connections) {
      client.destroy();
      upstream?.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #meets({ number }: Connection): boolean {
    return this.#phase !== null && (!this.#phase.some || number % 2 === 1);
  }

  #join(client: Socket, port: number, host: string, number: number): void {
    const connection: Connection = { number, client, upstream: null, deaf: { up: false, down: false } };
    this.#connections.add(connection);
    client.on("error", () => undefined);
    client.on("close", () => {
      this.#connections.delete(connection);
      connection.upstream?.destroy();
    });
    const phase = this.#meets(connection) ? this.#phase : null;
    // A firewall that drops packets lets nobody connect; here the handshake is the kernel's, and nothing follows it.
    if (phase?.trouble.kind === "swallow") {
      connection.deaf = { up: true, down: true };
      client.resume();
      return;
    }
    if (phase?.trouble.kind === "reset" || phase?.trouble.kind === "cut") {
      client.destroy();
      return;
    }
    const upstream = connect(port, host);
    connection.upstream = upstream;
    upstream.on("error", () => client.destroy());
    upstream.on("close", () => {
      if (!connection.deaf.down) client.destroy();
    });
    this.#carry(connection, "up", client, upstream);
    this.#carry(connection, "down", upstream, client);
  }

  #carry(connection: Connection, way: "up" | "down", from: Socket, to: Socket): void {
    let turn: Promise<unknown> = Promise.resolve();
    from.on("data", (data: Buffer) => {
      if (connection.deaf[way]) return;
      const phase = this.#meets(connection) ? this.#phase : null;
      const met = phase !== null && (phase.direction === "both" || phase.direction === way);
      const { trouble } = phase ?? {};
      if (met && trouble?.kind === "swallow") {
        connection.deaf[way] = true;
        return;
      }
      // What is held up keeps its order.
      turn = turn.then(async () => {
        if (met && trouble?.kind === "delay") await sleep(trouble.ms);
        if (met && trouble?.kind === "trickle") {
          for (let at = 0; at < data.length && this.#phase === phase; at++) {
            if (!to.destroyed) to.write(data.subarray(at, at + 1));
            data = data.subarray(1);
            at--;
            await sleep(trouble.everyMs);
          }
        }
        if (data.length > 0 && !to.destroyed && !connection.deaf[way]) to.write(data);
      });
    });
  }
}

function strike({ client, upstream, deaf }: Connection, { trouble, direction }: Phase): void {
  const ways = direction === "both" ? (["up", "down"] as const) : [direction];
  if (trouble.kind === "swallow") for (const way of ways) deaf[way] = true;
  else if (trouble.kind === "cut") client.destroy();
  else if (trouble.kind === "reset") client.resetAndDestroy();
  else if (trouble.kind === "half-close") for (const way of ways) (way === "up" ? upstream : client)?.end();
}
