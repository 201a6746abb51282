/**
 * Measures one library at one task in one zone, in a process of its own; `main.ts` starts it and collects.
 *
 * Arguments: library, task, zone. Prints nanoseconds for one operation: the median of nine rounds of at least 30 ms after
 * a warm-up of 300 ms. For `memory`, bytes of heap for one parsed schedule, of 10,000 kept (run with --expose-gc).
 */
import { LIBRARIES } from "./libraries.ts";

const [library = "", task = "", zone = ""] = process.argv.slice(2);
const parse = await LIBRARIES[library]!();

/** Expressions that all libraries take. */
const EXPRESSIONS = ["*/5 * * * *", "0 9 * * 1-5", "30 4 1,15 * *", "0 0 * * SUN", "15 */6 1-7 JAN,JUL *"];

// The same instants in each process: 2000 to 2037.
let state = 42;
const instants = Array.from({ length: 4_096 }, () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return new Date(Date.UTC(2000, 0) + Math.floor((state / 2 ** 32) * 37 * 365.25 * 86_400_000));
});
const schedules = EXPRESSIONS.map((expression) => parse(expression, zone));

const tasks: Record<string, (i: number) => unknown> = {
  parse: (i) => parse(EXPRESSIONS[i % EXPRESSIONS.length]!, zone),
  next: (i) => schedules[i % EXPRESSIONS.length]!.next(instants[i % instants.length]!),
  walk: (i) => schedules[i % EXPRESSIONS.length]!.walk(instants[i % instants.length]!, 1_000),
};

if (task === "memory") {
  const collect = (globalThis as { gc?: () => void }).gc!;
  const kept: unknown[] = [];
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 10_000; i++) kept.push(parse(`${i % 60} ${i % 24} ${(i % 28) + 1} * ${i % 7}`, zone));
  collect();
  console.log((process.memoryUsage().heapUsed - before) / kept.length);
} else {
  const operation = tasks[task]!;
  let sink: unknown;
  let at = 0;
  const run = (ms: number): number => {
    const start = performance.now();
    let count = 0;
    let took = 0;
    do {
      // Slow operations look at the clock each time, fast ones not.
      for (let end = count < 100 ? 1 : 500; end > 0; end--, count++) sink = operation(at++);
      took = performance.now() - start;
    } while (took < ms);
    return (took * 1e6) / count;
  };
  run(300);
  const rounds = Array.from({ length: 9 }, () => run(30)).sort((a, b) => a - b);
  if (sink === operation) throw new Error("unreachable; keeps the results alive");
  console.log(rounds[4]);
}
