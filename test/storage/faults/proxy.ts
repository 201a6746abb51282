/**
 * How does a test lose, hold or refuse messages between a client and a server? With a proxy for any protocol over TCP;
 * only `refuse` knows HTTP.
 *
 * The behaviour is read when a message arrives, so a test can set it for the next message or for all.
 */
import { connect, createServer, type Socket } from "node:net";

/** What happens to the next messages. */
export type Treatment =
  /** They pass, and their replies. */
  | { kind: "pass" }
  /** They reach the server; of so many messages the last one's reply is lost with the connection. */
  | { kind: "lose"; every: number }
  /** They reach the server; the whole reply to the first one with this text is lost, with the connection. */
  | { kind: "lose-reply-to"; text: string }
  /** They wait here until released. */
  | { kind: "hold" }
  /** They do not reach the server; so many get an HTTP answer of this status. */
  | { kind: "refuse"; status: number; times: number };

/** The end of a Postgres reply: ready for the next query, outside of a transaction. */
const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** Whether a reply shows that the server has finished: HTTP answers afterwards, Postgres may begin to answer before. */
function isWhole(data: Buffer): boolean {
  return data.subarray(0, 5).toString() === "HTTP/" || data.subarray(-READY_FOR_QUERY.length).equals(READY_FOR_QUERY);
}

/** A proxy before one server. */
export class WireProxy {
  readonly url: string;
  treatment: Treatment = { kind: "pass" };
  /** Replies that were lost, and requests that were refused or held. */
  hits = 0;
  /** Messages with the text of `lose-reply-to`. */
  matches = 0;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;
  readonly #held: (() => void)[] = [];
  #messages = 0;

  private constructor(server: ReturnType<typeof createServer>, sockets: Set<Socket>, url: string) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = url;
  }

  /** Opens a proxy before the server of a URL. */
  static async open(target: string): Promise<WireProxy> {
    const { hostname, port } = new URL(target);
    const sockets = new Set<Socket>();
    let proxy: WireProxy | undefined;
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
      proxy!.#join(client, upstream);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = new URL(target);
    address.port = String((server.address() as { port: number }).port);
    proxy = new WireProxy(server, sockets, address.href.replace(/\/$/, ""));
    return proxy;
  }

  #join(client: Socket, upstream: Socket): void {
    let lost: false | "at once" | "when whole" = false;
    client.on("data", (data) => {
      const { treatment } = this;
      if (treatment.kind === "refuse" && treatment.times > 0) {
        treatment.times--;
        this.hits++;
        client.end(`HTTP/1.1 ${treatment.status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      if (treatment.kind === "lose" && ++this.#messages % treatment.every === 0) lost = "at once";
      if (treatment.kind === "lose-reply-to" && data.includes(treatment.text)) {
        this.matches++;
        if (this.matches === 1) lost = "when whole";
      }
      if (treatment.kind === "hold") {
        this.hits++;
        this.#held.push(() => upstream.write(data));
      } else upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (!lost) {
        client.write(data);
        return;
      }
      if (lost === "when whole" && !isWhole(data as Buffer)) return;
      // The server has answered, so it has committed; the client does not learn of it.
      this.hits++;
      client.destroy();
    });
  }

  /** Releases held messages, and passes later ones. */
  release(): void {
    this.treatment = { kind: "pass" };
    for (const send of this.#held.splice(0)) send();
  }

  /** Ends all connections, and the proxy. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
