/**
 * Is a database a storage? The conformance kit: every sentence of the port as a case, for any test runner.
 *
 * The kit brings its cases and its own small assertions; the adapter brings the test function of its runner and a way to
 * open a fresh, empty storage. What a storage cannot do is said by its capabilities, what it should not be asked by a
 * list of skips with reasons; both are shown as skipped, never passed over in silence.
 */
import { type Checks, callback, checkOptions, flag, optionsOf, text, unfit } from "../../base/options.ts";
import { claimCases } from "./claim.ts";
import { endingCases } from "./endings.ts";
import { enqueueCases } from "./enqueue.ts";
import { fireCases } from "./fire.ts";
import { leaseCases } from "./lease.ts";
import { lifeCases } from "./life.ts";
import { limitCases } from "./limits.ts";
import { outsideCases } from "./outside.ts";
import { piggybackCases } from "./piggyback.ts";
import { readCases } from "./reads.ts";
import { type Case, type ConformanceTarget, Rig, T0 } from "./rig.ts";
import { saveCases } from "./save.ts";
import { scheduleCases } from "./schedules.ts";
import { statementCases } from "./statements.ts";

export type { ConformanceTarget } from "./rig.ts";

/** Registers a test, as `test` of Vitest and node:test and `Deno.test` do. */
export type TestFunction = (name: string, run: () => Promise<void>) => unknown;

/** What {@link storageConformance} needs. */
export interface ConformanceOptions {
  /** The adapter's name, for the titles. */
  name: string;
  /** Registers a test. */
  test: TestFunction;
  /**
   * Registers a test that is not run: `test.skip` of Vitest and node:test, `Deno.test.ignore`. The title says why.
   *
   * @default lists the skipped titles in one test that passes
   */
  skip?: TestFunction;
  /** Opens a fresh and empty storage for one case; two may be open at once. */
  open: () => Promise<ConformanceTarget>;
  /** The abilities by which cases are chosen; compared with what `open` gives. */
  manifest: {
    /** {@link ConformanceTarget.reopen} is given. */
    reopen: boolean;
    /** `Storage.listen` is there. */
    listen: boolean;
    /** `capabilities.statements`. @default false */
    statements?: boolean;
    /** `capabilities.serverClock`. @default false */
    serverClock?: boolean;
    /** `capabilities.durable`. @default false */
    durable?: boolean;
  };
  /** Runs statements in one transaction of the user's own, for the cases of `enqueueStatements`. */
  runStatements?: (
    target: ConformanceTarget,
    statements: { sql: string; params: (string | number | null)[] }[],
  ) => Promise<void>;
  /** Titles of cases not to run, with the reason. @throws RangeError when a title is unknown */
  skips?: Readonly<Record<string, string>>;
}

const MANIFEST_CHECKS: Checks<ConformanceOptions["manifest"]> = {
  reopen: flag,
  listen: flag,
  statements: flag,
  serverClock: flag,
  durable: flag,
};
const CHECKS: Checks<ConformanceOptions> = {
  name: text,
  test: callback,
  skip: callback,
  open: callback,
  manifest: optionsOf(MANIFEST_CHECKS),
  runStatements: callback,
  skips: (value, name, of) => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
    throw unfit(value, name, of, "an object of reasons by the titles of cases");
  },
};

/** All cases, subject by subject. */
export const conformanceCases: readonly Case[] = [
  ...leaseCases,
  ...fireCases,
  ...scheduleCases,
  ...enqueueCases,
  ...claimCases,
  ...limitCases,
  ...saveCases,
  ...endingCases,
  ...piggybackCases,
  ...outsideCases,
  ...readCases,
  ...lifeCases,
];

/**
 * Registers the cases of the port for one storage.
 *
 * @throws RangeError when `skips` names a case that does not exist
 *
 * @example
 * ```ts
 * import { memory } from "belfry/memory";
 * import { storageConformance } from "belfry/conformance";
 *
 * const registered: string[] = [];
 * storageConformance({
 *   name: "memory",
 *   test: (name) => registered.push(name), // `test` of your runner
 *   manifest: { reopen: false, listen: true },
 *   open: async () => ({ storage: memory() }),
 * });
 * if (registered.length < 100) throw new Error("too few cases");
 * ```
 */
export function storageConformance(options: ConformanceOptions): void {
  checkOptions(options, "storageConformance", CHECKS);
  const { name, test, open, manifest, skips = {} } = options;
  const cases: Case[] = [...conformanceCases, ...statementCases(options.runStatements)];
  for (const title of Object.keys(skips)) {
    if (!cases.some((one) => one.title === title))
      throw new RangeError(`Cannot skip ${JSON.stringify(title)}: no such case`);
  }
  const skipped: string[] = [];
  for (const one of cases) {
    const { needs } = one;
    const reason = skips[one.title] ?? (needs !== undefined && !manifest[needs] ? `it has no ${needs}` : undefined);
    if (reason === undefined) test(`${name}: ${one.title}`, () => runCase(one, options));
    else skipped.push(`${name}: ${one.title} (skipped: ${reason})`);
  }
  for (const title of skipped) options.skip?.(title, async () => {});
  test(`${name}: the manifest tells what the storage can${skipped.length && !options.skip ? `; skipped:\n  ${skipped.join("\n  ")}` : ""}`, async () => {
    const target = await open();
    const { capabilities } = target.storage;
    const is = {
      reopen: target.reopen !== undefined,
      listen: target.storage.listen !== undefined,
      statements: capabilities.statements,
      serverClock: capabilities.serverClock,
      durable: capabilities.durable,
    };
    await dispose(target);
    for (const [ability, has] of Object.entries(is)) {
      const said = manifest[ability as keyof typeof is] ?? false;
      if (said !== has) throw new Error(`The manifest says ${ability}: ${said}, the storage says ${has}`);
    }
  });
}

async function runCase(one: Case, { open }: ConformanceOptions): Promise<void> {
  const opened: ConformanceTarget[] = [];
  const more = async (): Promise<ConformanceTarget> => {
    const target = await open();
    opened.push(target);
    return target;
  };
  try {
    const target = await more();
    await target.storage.migrate({ now: T0 });
    await one.run(new Rig(target, more));
  } finally {
    for (const target of opened.reverse()) await dispose(target);
  }
}

async function dispose(target: ConformanceTarget): Promise<void> {
  await target.storage.close();
  await target.dispose?.();
}
