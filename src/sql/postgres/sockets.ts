/**
 * How is a stuck connection of postgres.js destroyed? The client has no call for it, and a query on a connection that
 * the network has forgotten waits for ever, with its place in the pool.
 *
 * But it takes a function that makes its sockets. Ours makes the same sockets as the client would and remembers them. A
 * call that is given up destroys those on which nothing has arrived since it was sent: the stuck one, and perhaps idle
 * ones, which the client replaces when it needs them. Where the runtime has no `node:net`, or the user's own function
 * makes the sockets, nothing is tracked; then the query is cancelled, which helps only where the server can be reached.
 */

/** The slice of a socket that is used. */
interface Socket {
  readonly bytesRead: number;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
  connect(path: string): unknown;
  connect(port: number, host: string): unknown;
  host?: string;
  port?: number;
  ssl?: unknown;
}

/** The parsed options of the client, which its connections share and read again for each socket. */
interface ClientOptions {
  host: string[];
  port: number[];
  path?: string | false;
  ssl?: unknown;
  socket?: (options: ClientOptions) => Socket;
}

interface NodeProcess {
  getBuiltinModule?(name: string): { Socket: new () => Socket } | undefined;
}

/** The sockets of one client. */
export class Sockets {
  readonly #open = new Set<Socket>();

  /** @returns null where the sockets of this client cannot be tracked */
  static track(client: object): Sockets | null {
    const known = tracked.get(client);
    if (known) return known;
    const { options } = client as { options?: ClientOptions };
    const net = (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.("node:net");
    if (!options || !net || options.socket) return null;
    const sockets = new Sockets();
    let turn = 0;
    options.socket = (asked) => {
      const socket = new net.Socket();
      sockets.#open.add(socket);
      socket.once("close", () => sockets.#open.delete(socket));
      if (asked.path) socket.connect(asked.path);
      else {
        const at = turn++ % asked.port.length;
        // The client reads these for TLS and for its messages.
        Object.assign(socket, { host: asked.host[at], port: asked.port[at], ssl: asked.ssl });
        socket.connect(asked.port[at]!, asked.host[at]!);
      }
      return socket;
    };
    tracked.set(client, sockets);
    return sockets;
  }

  /**
   * Remembers what has arrived so far.
   *
   * @returns a function that destroys the sockets on which nothing has arrived since
   */
  watch(): () => void {
    const seen = new Map([...this.#open].map((socket) => [socket, socket.bytesRead]));
    return () => {
      for (const socket of [...this.#open]) if (socket.bytesRead === (seen.get(socket) ?? 0)) socket.destroy();
    };
  }
}

const tracked = new WeakMap<object, Sockets>();
