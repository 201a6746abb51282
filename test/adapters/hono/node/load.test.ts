/**
 * Many clients at once over real sockets: nothing lost, nothing doubled, no error. BELFRY_LONG=1 runs 200 clients for 30 s;
 * figures are the business of `npm run bench -- http`.
 */
import { join } from "node:path";
import { expect, it } from "vitest";
import { load } from "../../../../bench/http/load.ts";
import { root } from "../../../house/source.ts";
import { folder, start, TOKEN } from "./processes.ts";

const [clients, seconds] = process.env["BELFRY_LONG"] ? [200, 30] : [40, 2];

it(`${clients} clients for ${seconds} s lose and duplicate no job, and racing ticks fire each occurrence once`, async () => {
  const node = join(root, "node_modules/.bin/node");
  const server = start(node, [join(root, "bench/http/server.ts"), join(folder(), "app.db"), TOKEN, "process"]);
  const url = await server.says(/listening on (\S+)/);
  const report = await load({ url, token: TOKEN, clients, seconds });
  expect(report).toMatchObject({ errors: [], lost: 0, doubled: 0, wrongOccurrences: 0 });
  expect(report.enqueued).toBeGreaterThan(clients);
  expect(report.occurrences).toBeGreaterThan(0);
  server.child.kill("SIGTERM");
  expect(await server.ended).toBe(0);
}, 240_000);
