/**
 * The same for the client: it takes the options of the library and sends them. What it does not check itself the server
 * refuses; nothing may be dropped on the way.
 */
import { Client, createClient, remote } from "../../../adapters/client.ts";
import { createApp } from "../../../adapters/hono/mod.ts";
import type { Belfry } from "../../../mod.ts";
import type { Row } from "./options_scene.ts";

/** A client of an app in this process. */
const client = (b: Belfry): Client => {
  const app = createApp(b, { auth: "none" });
  return new Client({ url: "https://example.com", fetch: (request) => app.fetch(request) });
};

const spec = { name: "new", expression: "0 9 * * *", task: "known" };
const range = { from: "2026-03-01T08:00:00Z", to: "2026-03-02" };

/** Places of the client by the name of their options; `valid` counts where the library has no such options. */
export const CLIENT: Readonly<Record<string, Row>> = {
  ClientOptions: {
    valid: { url: "https://example.com" },
    places: {
      "Client(options)": (o) => new Client(o),
      "createClient(options)": (o) => createClient(o),
    },
  },
  RemoteOptions: { valid: { url: "https://example.com" }, places: { "remote(options)": (o) => remote(o) } },
  CallOptions: { valid: {}, places: { "Client.call(options)": (o, { b }) => client(b).call("GET", "/health", o) } },
  ClientHealthOptions: { valid: {}, places: { "Client.health(options)": (o, { b }) => client(b).health(o) } },
  ClientTickOptions: { valid: {}, places: { "Client.tick(options)": (o, { b }) => client(b).tick(o) } },
  ClientForecastOptions: {
    valid: range,
    places: { "ClientSchedules.forecast(options)": (o, { b }) => client(b).schedules.forecast(spec, o) },
  },
  ClientGetOptions: {
    valid: {},
    places: { "ClientJob.get(options)": (o, { b, jobId }) => client(b).job(jobId).get(o) },
  },
  ClientListJobsOptions: { valid: {}, places: { "ClientJobs.list(options)": (o, { b }) => client(b).jobs.list(o) } },
  SchedulesQuery: { valid: {}, places: { "ClientSchedules.list(options)": (o, { b }) => client(b).schedules.list(o) } },
  BackfillOptions: {
    valid: range,
    places: { "ClientSchedules.backfill(options)": (o, { b }) => client(b).schedules.backfill("daily", o) },
  },
  CancelManyOptions: {
    valid: {},
    places: { "ClientJobs.cancelMany(options)": (o, { b }) => client(b).jobs.cancelMany({ queue: "none" }, o) },
  },
  RetryManyOptions: {
    valid: {},
    places: { "ClientJobs.retryMany(options)": (o, { b }) => client(b).jobs.retryMany({ queue: "none" }, o) },
  },
  ManyJobsFilter: {
    valid: {},
    places: {
      "ClientJobs.retryMany(filter)": (o, { b }) => client(b).jobs.retryMany(o, { dryRun: true }),
      "ClientJobs.cancelMany(filter)": (o, { b }) => client(b).jobs.cancelMany(o, { dryRun: true }),
    },
  },
  CancelOptions: {
    valid: {},
    places: { "ClientJob.cancel(options)": (o, { b, jobId }) => client(b).job(jobId).cancel(o) },
  },
  SignalOptions: {
    valid: {},
    places: { "ClientJob.signal(options)": (o, { b, jobId }) => client(b).job(jobId).signal("x", 1, o) },
  },
  ResultOptions: {
    valid: {},
    places: {
      "ClientJob.result(options)": (o, { b, jobId }) =>
        client(b)
          .job(jobId)
          .result(o)
          .catch((error: { code?: string }) => {
            if (error.code !== "RESULT_TIMEOUT") throw error;
          }),
    },
  },
  EnqueueOptions: {
    valid: {},
    places: {
      "Client.enqueue(options)": (o, { b }) => client(b).enqueue("known", undefined, o),
    },
  },
  TypedJobRequest: { valid: {}, places: { "Client.enqueueMany(jobs)": (o, { b }) => client(b).enqueueMany([o]) } },
  OneInstant: {
    valid: {},
    places: {
      "Client.schedule(expression)": (o, { b }) => client(b).schedule("once", o, "known"),
      "ClientScheduleSpec.expression": (expression, { b }) => client(b).schedules.preview({ ...spec, expression }),
    },
  },
  ScheduleOptions: {
    valid: {},
    places: {
      "Client.schedule(options)": (o, { b }) => client(b).schedule("s", "0 9 * * *", "known", o),
      "ClientScheduleSpec.options": (options, { b }) => client(b).schedules.preview({ ...spec, options }),
    },
  },
  ClientScheduleSpec: {
    valid: spec,
    places: {
      "ClientSchedules.put(spec)": (o, { b }) => client(b).schedules.put(o),
      "ClientSchedules.preview(schedule)": (o, { b }) => client(b).schedules.preview(o),
      "ClientSchedules.forecast(spec)": (o, { b }) => client(b).schedules.forecast(o, range),
    },
  },
  SchedulePatch: {
    valid: {},
    places: { "ClientSchedules.update(patch)": (o, { b }) => client(b).schedules.update("daily", o) },
  },
  PauseOptions: {
    valid: {},
    places: { "ClientSchedules.pause(options)": (o, { b }) => client(b).schedules.pause("daily", o) },
  },
  ResumeOptions: {
    valid: {},
    places: { "ClientSchedules.resume(options)": (o, { b }) => client(b).schedules.resume("daily", o) },
  },
  TriggerOptions: {
    valid: {},
    places: { "ClientSchedules.trigger(options)": (o, { b }) => client(b).schedules.trigger("daily", o) },
  },
  PreviewOptions: {
    valid: {},
    places: { "ClientSchedules.preview(options)": (o, { b }) => client(b).schedules.preview("daily", o) },
  },
  QueueOptions: {
    valid: {},
    places: { "ClientQueues.configure(options)": (o, { b }) => client(b).queues.configure("mail", o) },
  },
  "ClientSchedules.occurrences(options)": {
    valid: {},
    places: {
      "ClientSchedules.occurrences(options)": (o, { b }) => client(b).schedules.occurrences("daily", o),
    },
  },
  Downtime: {
    valid: {},
    places: {
      "ClientForecastOptions.downtime": (o, { b }) => client(b).schedules.forecast(spec, { ...range, downtime: [o] }),
    },
  },
};
