/**
 * Measures one library at one task in one zone, in a process of its own; `main.ts` starts it and collects.
 *
 * Arguments: library, task, zone. Prints nanoseconds for one operation: for each of five expressions the median of seven
 * rounds of at least 20 ms after a warm-up of 100 ms, and of these the mean. Time is CPU time of the process, garbage
 * collection with it, so that a busy machine does not count. For `memory`, bytes of heap for one parsed schedule, of 10,000 kept (run with --expose-gc).
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
const milliseconds = instants.map(Number);

type Operation = (i: number) => unknown;

/** The operation for one expression; expressions are measured one after the other, and the mean counts. */
const tasks: Record<string, (expression: string) => Operation> = {
  parse: (expression) => () => parse(expression, zone),
  next(expression) {
    const schedule = parse(expression, zone);
    return (i) => schedule.next(instants[i % instants.length]!);
  },
  walk(expression) {
    const schedule = parse(expression, zone);
    return (i) => schedule.walk(instants[i % 64]!, 1_000);
  },
  nextMs(expression) {
    const schedule = parse(expression, zone);
    return (i) => schedule.nextMs!(milliseconds[i % instants.length]!);
  },
  walkMs(expression) {
    const schedule = parse(expression, zone);
    return (i) => {
      let at = milliseconds[i % 64]!;
      for (let n = 0; n < 1_000; n++) at = schedule.nextMs!(at)!;
      return at;
    };
  },
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
  let sink: unknown;
  const run = (operation: Operation, ms: number): number => {
    const start = process.cpuUsage();
    let count = 0;
    let took = 0;
    do {
      // Slow operations look at the clock each time, fast ones not.
      for (let end = count < 100 ? 1 : 500; end > 0; end--, count++) sink = operation(count);
      const { user, system } = process.cpuUsage(start);
      took = (user + system) / 1000;
    } while (took < ms);
    return (took * 1e6) / count;
  };
  const medians = EXPRESSIONS.map((expression) => {
    const operation = tasks[task]!(expression);
    run(operation, 100);
    return Array.from({ length: 7 }, () => run(operation, 20)).sort((a, b) => a - b)[3]!;
  });
  if (sink === medians) throw new Error("unreachable; keeps the results alive");
  console.log(medians.reduce((sum, value) => sum + value, 0) / medians.length);
}
