/**
 * `belfry/testing`: what users need to test their schedules and tasks, and adapter authors to prove a storage.
 *
 * @module
 */

export {
  type Action,
  type ActionKind,
  type Fault,
  type FaultKind,
  type Ground,
  type MakeGround,
  type RowWatcher,
  runWorld,
  shrinkWorld,
  type WorldOptions,
  type WorldReport,
} from "../../test/simulation/simulator/mod.ts";
export {
  type ConformanceOptions,
  type ConformanceTarget,
  storageConformance,
  type TestFunction,
} from "./conformance/mod.ts";
export { type DifferentialOptions, type DifferentialReport, storageDifferential } from "./differential/mod.ts";
export { FakeClock } from "./fake_clock.ts";
export { countedIds } from "./ids.ts";
export { type Random, seededRandom } from "./random.ts";
export { createTestBelfry, type TestBelfry, type TestBelfryOptions, type TestEngine } from "./test_belfry.ts";
