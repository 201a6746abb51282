/**
 * Schedules over HTTP: register, list, read, change, remove, and operate by hand (pause, resume, trigger, backfill).
 */
import { decodePayload } from "../../../src/base/codec.ts";
import { BelfryError } from "../../../src/base/error.ts";
import type { Belfry } from "../../../src/belfry.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { ScheduleInfo } from "../../../src/schedule/info.ts";
import type { Registered } from "../../../src/schedule/register.ts";
import type { ReachedJob } from "../access.ts";
import { placeOf } from "../reach.ts";
import * as common from "../wire/common.ts";
import type { RegisteredAnswer, ScheduleAnswer, SchedulePatchBody } from "../wire/mod.ts";
import * as wire from "../wire/schedules.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, OccurrencePath } from "./schema.ts";

const DEFAULT_PAGE = 50;

/** Shows a schedule with its input decoded; an input that cannot be decoded is shown as unreadable. */
async function show(engine: Engine, info: ScheduleInfo): Promise<ScheduleAnswer> {
  const { definition } = info;
  if (definition === null) return { ...info, definition };
  const input = await decodePayload(
    engine.codec,
    definition.input,
    `input of schedule ${JSON.stringify(info.name)}`,
  ).catch((error: unknown) => ({ unreadable: error instanceof Error ? error.message : String(error) }));
  const { exclude, tags } = definition;
  return { ...info, definition: { ...definition, input, exclude: [...exclude], tags: [...tags] } };
}

/** Where the jobs of a schedule go after a change. */
async function placeAfter(belfry: Belfry, name: string, patch: SchedulePatchBody): Promise<ReachedJob> {
  const stored = (await belfry.schedules.get(name))?.definition;
  const task = patch.task ?? stored?.task ?? "";
  return placeOf(belfry, { task, queue: patch.queue === undefined ? stored?.queue : patch.queue }, name);
}

async function showRegistered(engine: Engine, { status, warnings, schedule }: Registered): Promise<RegisteredAnswer> {
  return { status, warnings, schedule: await show(engine, schedule) };
}

type SchedulePath = Exclude<Extract<keyof BelfrySchema, `/schedules${string}`>, OccurrencePath>;

/** Routes under `/schedules`, without those about occurrences. */
export const scheduleRoutes: RouteTable<Pick<BelfrySchema, SchedulePath>> = {
  "/schedules": {
    $get: {
      id: "listSchedules",
      summary: "Lists schedules, in order of name.",
      scopes: ["read"],
      narrowed: "checked",
      query: wire.schedulesQuery,
      status: 200,
      gives: wire.schedulePage,
      async run({ belfry, access }, { query }) {
        const { limit = DEFAULT_PAGE, cursor, ...same } = query;
        const after = readCursor("s", cursor);
        const page = await belfry.schedules.list({ ...same, limit, ...(after === undefined ? {} : { after }) });
        // A page of a narrowed token may have fewer items than asked for, with more on the next.
        const within = page.schedules.filter(({ name, definition }) =>
          definition === null
            ? !access.narrowed
            : access.reachesSchedule(name) && access.reachesJob({ ...definition, schedule: name }),
        );
        const items = await Promise.all(within.map((info) => show(belfry.engine, info)));
        return { items, next: page.next === null ? null : writeCursor("s", page.next) };
      },
    },
  },
  "/schedules/:name": {
    $get: {
      id: "getSchedule",
      summary: "Shows one schedule.",
      scopes: ["read"],
      narrowed: "schedule",
      param: common.namePath,
      status: 200,
      gives: wire.scheduleAnswer,
      async run({ belfry }, { param }) {
        const info = await belfry.schedules.get(param.name);
        if (info) return show(belfry.engine, info);
        throw new BelfryError("SCHEDULE_UNKNOWN", `No schedule is named ${JSON.stringify(param.name)}`);
      },
    },
    $put: {
      id: "putSchedule",
      summary: "Registers a schedule, or brings the stored one up to date; the same definition changes nothing.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.scheduleBody,
      status: 200,
      gives: wire.registeredAnswer,
      async run({ belfry, access }, { param, json }) {
        const { expression, task, ...options } = json;
        access.needPlace(placeOf(belfry, json, param.name));
        return showRegistered(belfry.engine, await belfry.schedule(param.name, expression, task, options));
      },
    },
    $patch: {
      id: "updateSchedule",
      summary: "Changes options of a schedule; what is absent stays, null takes an option back to its default.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.schedulePatchBody,
      status: 200,
      gives: wire.registeredAnswer,
      async run({ belfry, access }, { param, json }) {
        if (access.narrowed) access.needPlace(await placeAfter(belfry, param.name, json));
        return showRegistered(belfry.engine, await belfry.schedules.update(param.name, json));
      },
    },
    $delete: {
      id: "removeSchedule",
      summary: "Removes a schedule; its unfinished jobs stay and run.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      status: 200,
      gives: wire.removedAnswer,
      run: async ({ belfry }, { param }) => ({ removed: await belfry.schedules.remove(param.name) }),
    },
  },
  "/schedules/:name/pause": {
    $post: {
      id: "pauseSchedule",
      summary: "Pauses a schedule; it keeps its place.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.pauseBody,
      status: 200,
      gives: wire.scheduleAnswer,
      run: async ({ belfry }, { param, json }) => show(belfry.engine, await belfry.schedules.pause(param.name, json)),
    },
  },
  "/schedules/:name/resume": {
    $post: {
      id: "resumeSchedule",
      summary: "Makes a paused schedule active again, with or without what it missed.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.resumeBody,
      status: 200,
      gives: wire.scheduleAnswer,
      run: async ({ belfry }, { param, json }) => show(belfry.engine, await belfry.schedules.resume(param.name, json)),
    },
  },
  "/schedules/:name/trigger": {
    $post: {
      id: "triggerSchedule",
      summary: "Makes a job of a schedule now, whatever its state.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.triggerBody,
      status: 200,
      gives: wire.triggerAnswer,
      run: ({ belfry }, { param, json }) => belfry.schedules.trigger(param.name, json),
    },
  },
  "/schedules/:name/backfill": {
    $post: {
      id: "backfillSchedule",
      summary: "Makes jobs of past occurrences that did not fire, each once.",
      scopes: ["admin"],
      narrowed: "schedule",
      param: common.namePath,
      json: wire.backfillBody,
      status: 200,
      gives: wire.backfillAnswer,
      run: ({ belfry }, { param, json }) => belfry.schedules.backfill(param.name, json),
    },
  },
};
