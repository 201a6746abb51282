/** Measures one system in one shape with so many callers, in a process of its own: prints JSON. See `main.ts`. */
import { type Shape, SYSTEMS } from "./systems.ts";

const [name, shapeText, callersText, secondsText, url] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const shape: Shape = shapeText === "child" ? { child: true } : { steps: Number(shapeText) };
const callers = Number(callersText);
const ms = Number(secondsText) * 1_000;
const system = await SYSTEMS[name]!({ callers, url });

async function drive(forMs: number): Promise<number> {
  const end = performance.now() + forMs;
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        await system.execute(shape);
        done++;
      }
    }),
  );
  return done;
}

await drive(ms / 4);
const cpu = process.cpuUsage();
const start = performance.now();
const done = await drive(ms);
const tookMs = performance.now() - start;
const used = process.cpuUsage(cpu);
process.stdout.write(
  `${JSON.stringify({ perSecond: (done / tookMs) * 1_000, cpuUs: (used.user + used.system) / done })}\n`,
);
await system.stop();
process.exit(0);
