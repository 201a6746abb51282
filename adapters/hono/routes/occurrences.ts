/**
 * Occurrences over HTTP: what became of them and why, which are to come, and what a schedule would do.
 *
 * `preview` and `forecast` also take a schedule that is not registered. Every answer is bounded: a list by its limit, a
 * forecast by `max`.
 */
import type { ScheduleSpec } from "../../../src/schedule/define.ts";
import * as common from "../wire/common.ts";
import type { ScheduleBody } from "../wire/mod.ts";
import * as wire from "../wire/occurrences.ts";
import type { RouteTable } from "./route.ts";
import type { BelfrySchema, OccurrencePath } from "./schema.ts";

const MAX_FORECAST = 1_000;

/** A schedule of a body, as the library takes it. */
function specOf(name: string, { expression, task, ...options }: ScheduleBody): ScheduleSpec {
  return { name, expression, task, options };
}

/** Routes under `/schedules` that are about occurrences. */
export const occurrenceRoutes: RouteTable<Pick<BelfrySchema, OccurrencePath>> = {
  "/schedules/preview": {
    $post: {
      id: "previewUnregistered",
      summary: "Lists the next occurrences of a schedule that is not registered.",
      scopes: ["read"],
      narrowed: "open",
      json: wire.previewBody,
      status: 200,
      gives: wire.previewAnswer,
      async run({ belfry }, { json: { name = "preview", schedule, ...options } }) {
        return { items: await belfry.schedules.preview(specOf(name, schedule), options) };
      },
    },
  },
  "/schedules/forecast": {
    $post: {
      id: "forecastSchedule",
      summary: "Tells what a schedule would do, over outages and nights on which clocks change; stores nothing.",
      scopes: ["read"],
      narrowed: "open",
      json: wire.forecastBody,
      status: 200,
      gives: wire.forecastAnswer,
      run: ({ belfry }, { json: { name = "forecast", schedule, max = MAX_FORECAST, ...options } }) =>
        belfry.schedules.forecast(specOf(name, schedule), { ...options, max }),
    },
  },
  "/schedules/:name/preview": {
    $get: {
      id: "previewSchedule",
      summary: "Lists the next occurrences.",
      scopes: ["read"],
      narrowed: "schedule",
      param: common.namePath,
      query: wire.previewQuery,
      status: 200,
      gives: wire.previewAnswer,
      run: async ({ belfry }, { param, query }) => ({ items: await belfry.schedules.preview(param.name, query) }),
    },
  },
  "/schedules/:name/explain": {
    $get: {
      id: "explainOccurrence",
      summary: "Says what became of an occurrence, and why.",
      scopes: ["read"],
      narrowed: "schedule",
      param: common.namePath,
      query: wire.explainQuery,
      status: 200,
      gives: wire.explainAnswer,
      async run({ belfry }, { param, query }) {
        const { job, ...explanation } = await belfry.schedules.explain(param.name, query.at);
        if (job === null) return { ...explanation, job };
        const { id, state, attempt, startedAt, finishedAt } = job;
        return { ...explanation, job: { id, state, attempt, startedAt, finishedAt } };
      },
    },
  },
  "/schedules/:name/occurrences": {
    $get: {
      id: "listOccurrences",
      summary: "Lists what became of a schedule's occurrences, newest first.",
      scopes: ["read"],
      narrowed: "schedule",
      param: common.namePath,
      query: wire.occurrencesQuery,
      status: 200,
      gives: wire.occurrencesAnswer,
      run: async ({ belfry }, { param, query }) => ({ items: await belfry.schedules.occurrences(param.name, query) }),
    },
  },
};
