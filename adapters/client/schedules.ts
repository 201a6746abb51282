/**
 * All schedules of a remote app, as `client.schedules`: reading, changing, operating them by hand, and
 * asking what they did and will do. Registering is `client.schedule`.
 */

import type { Duration } from "../../src/base/duration.ts";
import { anything, type Checks, checkOptions, nameOf, oneOf, text, unfit, whole } from "../../src/base/options.ts";
import type { BackfillOptions } from "../../src/schedule/backfill.ts";
import type { PauseOptions, ResumeOptions, TriggerOptions } from "../../src/schedule/control.ts";
import type { ScheduleSpec } from "../../src/schedule/define.ts";
import type { ForecastOptions } from "../../src/schedule/forecast.ts";
import type { OccurrenceOptions, PreviewOptions } from "../../src/schedule/list.ts";
import type { SchedulePatch } from "../../src/schedule/patch.ts";
import type { When } from "../../src/schedule/when.ts";
import { SCHEDULE_STATES } from "../../src/storage/states.ts";
import { taskName } from "../../src/task/task.ts";
import type * as wire from "../hono/wire/mod.ts";
import { ifKnown } from "./absent.ts";
import { sendable } from "./dates.ts";
import { part, type Send } from "./request.ts";
import type { Shape } from "./shape.ts";

/** Which schedules to list. */
export type ListSchedulesOptions = wire.SchedulesQuery;

/** A schedule to register or to ask about; when it was first registered is the server's to know. */
export type ClientScheduleSpec = Omit<ScheduleSpec, "createdAt">;

/** What happens during a forecast; over HTTP each job runs equally long. */
export interface ClientForecastOptions extends Omit<ForecastOptions, "durations"> {
  /** How long each job runs. @default 0 */
  readonly durations?: Duration;
}

const LIST_CHECKS: Checks<ListSchedulesOptions> = {
  state: oneOf(SCHEDULE_STATES),
  owner: nameOf("owner"),
  task: nameOf("task"),
  tag: text,
  prefix: text,
  limit: whole(1, 200),
  cursor: text,
};

/** Which keys there are; the server checks the values of the others. */
const SPEC_CHECKS: Checks<ClientScheduleSpec> = {
  name: nameOf("schedule"),
  expression: (value, _name, of) => {
    if (typeof value === "object" && value !== null) checkOptions(value, `the expression of ${of}`, { at: anything });
  },
  task: anything,
  options: (value, name, of) => {
    if (typeof value !== "object" || value === null) throw unfit(value, name, of, "an object");
  },
};

const SCHEDULE: Shape<wire.ScheduleAnswer> = { name: "text", state: "text", revision: "number" };
const REGISTERED: Shape<wire.RegisteredAnswer> = { status: "text", warnings: "list", schedule: "object" };
const PREVIEW: Shape<wire.PreviewAnswer> = { items: "list" };

/** The schedules of an installation. Methods throw `RequestError` when they are refused or get no usable answer. */
export class ClientSchedules {
  readonly #send: Send;

  /** @param send calls the app */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Registers a schedule: `client.schedule` with the definition as one object. */
  async put(spec: ClientScheduleSpec): Promise<wire.RegisteredAnswer> {
    return this.#send("PUT", path(spec.name), { json: bodyOf(spec), gives: REGISTERED });
  }

  /** Lists schedules in order of name; `next` of a page is the `cursor` of the one after. */
  async list(options: ListSchedulesOptions = {}): Promise<wire.SchedulePage> {
    checkOptions(options, "schedules.list", LIST_CHECKS);
    return this.#send("GET", "/schedules", { query: { ...options }, gives: { items: "list", next: "text?" } });
  }

  /** Reads a schedule. @returns null where no schedule has this name */
  get(name: string): Promise<wire.ScheduleAnswer | null> {
    return ifKnown("SCHEDULE_UNKNOWN", this.#send<wire.ScheduleAnswer>("GET", path(name), { gives: SCHEDULE }));
  }

  /**
   * Changes options of a stored schedule; what the patch does not name stays, null takes an option back to its default.
   *
   * @throws RequestError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, and as `client.schedule`
   */
  update<Input = unknown>(name: string, patch: SchedulePatch<Input>): Promise<wire.RegisteredAnswer> {
    const { task, input, ...options } = patch;
    const json = {
      ...sendable(options),
      ...(task === undefined ? {} : { task: taskName(task) }),
      ...(input === undefined ? {} : { input }),
    };
    return this.#send("PATCH", path(name), { json, gives: REGISTERED });
  }

  /** Pauses a schedule: it fires nothing until it is resumed. @throws RequestError `SCHEDULE_UNKNOWN` */
  pause(name: string, options: PauseOptions = {}): Promise<wire.ScheduleAnswer> {
    const { note, ...rest } = options;
    const json = note === null ? rest : options;
    return this.#send("POST", path(name, "/pause"), { json, gives: SCHEDULE });
  }

  /** Makes a paused schedule active again. @throws RequestError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN` */
  resume(name: string, options: ResumeOptions = {}): Promise<wire.ScheduleAnswer> {
    return this.#send("POST", path(name, "/resume"), { json: options, gives: SCHEDULE });
  }

  /** Removes a schedule; its unfinished jobs stay and run. @returns false where no schedule has this name */
  async remove(name: string): Promise<boolean> {
    return (await this.#send<wire.RemovedAnswer>("DELETE", path(name), { gives: { removed: "flag" } })).removed;
  }

  /** Makes a job of a schedule now, whatever its state. @throws RequestError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN` */
  trigger<Input = unknown>(name: string, options: TriggerOptions<Input> = {}): Promise<wire.TriggerAnswer> {
    return this.#send("POST", path(name, "/trigger"), { json: options, gives: { jobId: "text?", at: "number" } });
  }

  /**
   * Makes jobs of a schedule's past occurrences that did not fire, oldest first.
   *
   * @throws RequestError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `OPTION_INVALID` also where there are more than `max`
   */
  backfill(name: string, options: BackfillOptions): Promise<wire.BackfillAnswer> {
    const gives = { enqueued: "number", existing: "number", excluded: "number" } as const;
    return this.#send("POST", path(name, "/backfill"), { json: sendable(options), gives });
  }

  /** Lists how a schedule's occurrences ended, newest first; also of a schedule that was removed. */
  async occurrences(
    name: string,
    options: Omit<OccurrenceOptions, "newestFirst"> = {},
  ): Promise<wire.OccurrenceAnswer[]> {
    const call = { query: { ...sendable(options) }, gives: PREVIEW };
    return (await this.#send<wire.OccurrencesAnswer>("GET", path(name, "/occurrences"), call)).items;
  }

  /**
   * Lists the next occurrences of a stored schedule (by its name), or of a specification that is not registered.
   *
   * @returns fewer than asked for where the schedule ends
   * @throws RequestError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`; for a specification as `client.schedule`
   */
  async preview(
    schedule: string | ClientScheduleSpec,
    options: PreviewOptions = {},
  ): Promise<wire.PreviewedOccurrence[]> {
    if (typeof schedule === "string") {
      const call = { query: { ...sendable(options) }, gives: PREVIEW };
      return (await this.#send("GET", path(schedule, "/preview"), call)).items;
    }
    const json = { ...sendable(options), name: schedule.name, schedule: bodyOf(schedule) };
    return (await this.#send("POST", "/schedules/preview", { json, gives: PREVIEW })).items;
  }

  /** Answers "why did it not run at 09:00?". @param at the occurrence, or its minute; local time where it has no offset */
  explain(name: string, at: When): Promise<wire.ExplainAnswer> {
    const gives = { schedule: "text", at: "number", outcome: "text", text: "text" } as const;
    return this.#send("GET", path(name, "/explain"), { query: { at: sendable(at) }, gives });
  }

  /** Tells what a schedule would do, over outages and nights on which clocks change; stores nothing. */
  async forecast(spec: ClientScheduleSpec, options: ClientForecastOptions): Promise<wire.ForecastAnswer> {
    const json = { ...sendable(options), name: spec.name, schedule: bodyOf(spec) };
    const gives = { occurrences: "list", fired: "number", skipped: "number", state: "text" } as const;
    return this.#send("POST", "/schedules/forecast", { json, gives });
  }
}

function path(name: string, rest = ""): string {
  return `/schedules/${part(name)}${rest}`;
}

function bodyOf(spec: ClientScheduleSpec): object {
  checkOptions(spec, "a schedule", SPEC_CHECKS);
  const { expression, task, options = {} } = spec;
  const { input, ...rest } = options;
  return { ...sendable(rest), expression: sendable(expression), task: taskName(task), input };
}
