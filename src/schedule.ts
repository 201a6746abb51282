/**
 * What is a schedule? What a user writes (`ScheduleOptions`), what is stored of it (`ScheduleDefinition`), and the way from
 * one to the other and back: `defineSchedule` checks and makes it canonical, `readDefinition` turns stored text into the
 * rules of the planner (`plan.ts`), which decides what fires.
 */

export type { Overlap } from "./plan.ts";
export { DefinedSchedule, defineNow, defineSchedule, type ScheduleSpec } from "./schedule/define.ts";
export {
  parseDefinition,
  type ReadSchedule,
  readDefinition,
  rulesOf,
  type ScheduleDefinition,
  sameTiming,
  writeDefinition,
} from "./schedule/definition.ts";
export type { Exclude } from "./schedule/exclude.ts";
export type { When } from "./schedule/local_time.ts";
export type { CatchUp, Expression, ScheduleOptions } from "./schedule/options.ts";
