/**
 * How do tests reach a server that they start? On a port that was free just before, as soon as it answers.
 */
import { createServer } from "node:net";

/** Below the ports that systems hand out to outgoing connections (Linux: from 32,768; others: from 49,152). */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** Whether nothing listens on a port. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/**
 * Finds a port that nothing listens on.
 *
 * It is drawn from a range that no outgoing connection is given, so that it stays free until its server listens, and while
 * a server that was killed is started again.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port between ${FIRST_PORT} and ${FIRST_PORT + PORTS}`);
}

/** Waits until a real process is ready. @throws after a minute */
export async function until(ready: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await ready())) {
    if (performance.now() > deadline) throw new Error(`Waited a minute for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
