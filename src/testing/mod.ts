/**
 * `belfry/testing`: what users need to test their schedules and tasks: a clock that is moved by hand, an engine on it, ids
 * and chance that repeat.
 *
 * @module
 */

export { FakeClock } from "./fake_clock.ts";
export { countedIds } from "./ids.ts";
export { type Random, seededRandom } from "./random.ts";
export {
  createTestBelfry,
  type FailStepOptions,
  type TestBelfry,
  type TestBelfryOptions,
  type TestEngine,
} from "./test_belfry.ts";
