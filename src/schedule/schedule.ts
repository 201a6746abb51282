/**
 * What is a schedule? What a user writes (`ScheduleOptions`), what is stored of it (`ScheduleDefinition`), and the way from
 * one to the other and back: `defineSchedule` checks and makes it canonical, `readDefinition` turns stored text into the
 * rules of the planner (`plan.ts`), which decides what fires.
 */

export { DefinedSchedule, defineNow, defineSchedule, type ScheduleSpec } from "./define.ts";
export {
  parseDefinition,
  type ReadSchedule,
  readDefinition,
  rulesOf,
  type ScheduleDefinition,
  sameTiming,
  writeDefinition,
} from "./definition.ts";
export type { Exclude } from "./exclude.ts";
export type { When } from "./local_time.ts";
export type { CatchUp, Expression, ScheduleOptions } from "./options.ts";
export type { Overlap } from "./planner.ts";
