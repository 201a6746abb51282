/**
 * All schedules, as `belfry.schedules`: reading, changing, operating them by hand, and asking what they did and will do.
 * Registering is on the roof: `belfry.schedule` and `belfry.sync`.
 */
import type { Engine } from "../engine/engine.ts";
import type { OccurrenceRecord } from "../storage/port.ts";
import { type Backfilled, type BackfillOptions, backfillSchedule } from "./backfill.ts";
import {
  type PauseOptions,
  pauseSchedule,
  type ResumeOptions,
  resumeSchedule,
  type Triggered,
  type TriggerOptions,
  triggerSchedule,
} from "./control.ts";
import type { ScheduleSpec, TypedScheduleSpec } from "./define.ts";
import { type Explanation, explainOccurrence } from "./explain.ts";
import { type Forecast, type ForecastOptions, forecastSchedule } from "./forecast.ts";
import type { ScheduleInfo } from "./info.ts";
import {
  getSchedule,
  type ListSchedulesOptions,
  listOccurrences,
  listSchedules,
  type OccurrenceOptions,
  type PreviewedOccurrence,
  type PreviewOptions,
  previewSchedule,
  type SchedulePage,
} from "./list.ts";
import type { SchedulePatch } from "./patch.ts";
import { type Registered, removeSchedule, updateSchedule } from "./register.ts";
import type { When } from "./when.ts";

/** Makes this process look for due schedules, or for ready jobs, now. */
export interface Wakers {
  scheduler(): void;
  worker(): void;
}

/** The schedules of an installation. */
export class Schedules {
  readonly #engine: Engine;
  readonly #wake: Wakers;

  /**
   * @param engine where the schedules are stored
   * @param wake called after a change that makes something due here and now
   */
  constructor(engine: Engine, wake: Wakers) {
    this.#engine = engine;
    this.#wake = wake;
  }

  /** Lists schedules in order of name, page by page. @throws BelfryError `OPTION_INVALID` */
  list(options?: ListSchedulesOptions): Promise<SchedulePage> {
    return listSchedules(this.#engine, options);
  }

  /** Reads a schedule. @returns null where no schedule has this name */
  get(name: string): Promise<ScheduleInfo | null> {
    return getSchedule(this.#engine, name);
  }

  /**
   * Changes options of a stored schedule; what the patch does not name stays, null takes an option back to its default.
   *
   * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, and as `belfry.schedule`, before anything is written
   */
  async update<Input = unknown>(name: string, patch: SchedulePatch<Input>): Promise<Registered> {
    const registered = await updateSchedule(this.#engine, name, patch as SchedulePatch);
    this.#wake.scheduler();
    return registered;
  }

  /** Pauses a schedule: it fires nothing until it is resumed. @throws BelfryError `SCHEDULE_UNKNOWN`, `OPTION_INVALID` */
  pause(name: string, options?: PauseOptions): Promise<ScheduleInfo> {
    return pauseSchedule(this.#engine, name, options);
  }

  /** Makes a paused schedule active again. @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `OPTION_INVALID` */
  async resume(name: string, options?: ResumeOptions): Promise<ScheduleInfo> {
    const schedule = await resumeSchedule(this.#engine, name, options);
    this.#wake.scheduler();
    return schedule;
  }

  /** Removes a schedule; its unfinished jobs stay and run. @returns false where no schedule has this name */
  remove(name: string): Promise<boolean> {
    return removeSchedule(this.#engine, name);
  }

  /**
   * Makes a job of a schedule now, whatever its state.
   *
   * @typeParam Input what the schedule's task takes, to have another input checked by the compiler
   *
   * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `OPTION_INVALID`, `INPUT_INVALID`, `PAYLOAD_UNSERIALIZABLE`
   */
  async trigger<Input = unknown>(name: string, options?: TriggerOptions<Input>): Promise<Triggered> {
    const triggered = await triggerSchedule(this.#engine, name, options);
    this.#wake.worker();
    return triggered;
  }

  /**
   * Makes jobs of a schedule's past occurrences that did not fire, oldest first.
   *
   * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `OPTION_INVALID` also where there are more than `max`
   */
  async backfill(name: string, options: BackfillOptions): Promise<Backfilled> {
    const done = await backfillSchedule(this.#engine, name, options);
    this.#wake.worker();
    return done;
  }

  /** Lists how a schedule's occurrences ended, newest first; also of a schedule that was removed. */
  occurrences(name: string, options?: OccurrenceOptions): Promise<OccurrenceRecord[]> {
    return listOccurrences(this.#engine, name, options);
  }

  /**
   * Lists the next occurrences of a stored schedule (by its name), or of a specification that is not registered.
   *
   * @returns fewer than asked for where the schedule ends
   * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`; for a specification as `belfry.schedule`
   */
  preview<Input = unknown>(
    schedule: string | TypedScheduleSpec<Input>,
    options?: PreviewOptions,
  ): Promise<PreviewedOccurrence[]> {
    return previewSchedule(this.#engine, schedule as string | ScheduleSpec, options);
  }

  /** Answers "why did it not run at 09:00?". @param at the occurrence, or its minute; local time where it has no offset */
  explain(name: string, at: When): Promise<Explanation> {
    return explainOccurrence(this.#engine, name, at);
  }

  /** Tells what a schedule would do, over outages and nights on which clocks change; stores nothing. */
  forecast<Input = unknown>(spec: TypedScheduleSpec<Input>, options: ForecastOptions): Promise<Forecast> {
    return forecastSchedule(spec as ScheduleSpec, options, this.#engine);
  }
}
