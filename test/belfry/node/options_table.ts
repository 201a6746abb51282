/**
 * How each options object is handed to Belfry, for the test that every one of them refuses what it does not know. Found
 * are they by `options_finder.ts`; each place that takes one stands here.
 */
import { DatabaseSync } from "node:sqlite";
import { belfryObject, cloudflare } from "../../../adapters/cloudflare.ts";
import { d1 } from "../../../adapters/d1.ts";
import { serve as serveDeno } from "../../../adapters/deno.ts";
import { durableObject } from "../../../adapters/durable_object.ts";
import { createApp, signTick } from "../../../adapters/hono/mod.ts";
import { libsql } from "../../../adapters/libsql.ts";
import { memory } from "../../../adapters/memory.ts";
import { serve as serveNode } from "../../../adapters/node.ts";
import { postgres } from "../../../adapters/postgres.ts";
import { sqlite } from "../../../adapters/sqlite.ts";
import {
  aesGcm,
  Belfry,
  consoleLogger,
  copyStorage,
  forecastSchedule,
  jsonLogger,
  silentLogger,
} from "../../../mod.ts";
import { Cron } from "../../../src/cron/mod.ts";
import { Recurrence, rrule } from "../../../src/rrule/mod.ts";
import type { Context } from "../../../src/task/context.ts";
import { storageConformance, storageDifferential } from "../../../src/testing/conformance/mod.ts";
import { createTestBelfry } from "../../../src/testing/mod.ts";
import { TestEngine } from "../../../src/testing/test_belfry.ts";
import { CLIENT } from "./options_client.ts";
import type { Row, Scene } from "./options_scene.ts";

let count = 0;

/** Makes a call inside a running handler, and throws what it threw. */
async function inHandler({ t }: Scene, use: (ctx: Context) => unknown): Promise<void> {
  let thrown: unknown;
  const task = t.belfry.task(`handler-${count++}`, async (ctx) => {
    try {
      await use(ctx);
    } catch (error) {
      thrown = error;
    }
  });
  await t.belfry.enqueue(task);
  await t.settle();
  if (thrown !== undefined) throw thrown;
}

const d1Like = { prepare() {}, batch() {} } as unknown as Parameters<typeof d1>[0];
const objectLike = { sql: { exec() {} }, transactionSync() {} } as unknown as Parameters<typeof durableObject>[0];
const libsqlLike = { protocol: "file", batch() {}, execute() {} } as unknown as Parameters<typeof libsql>[0];
const pgLike = { query() {} } as unknown as Parameters<typeof postgres>[0];
const app = { fetch: () => new Response("here") };
const START = "2026-03-01T08:00:00Z";
const spec = { name: "new", expression: "0 9 * * *", task: "known" };
const range = { from: START, to: "2026-03-02" };

/** Schedules, changed by what is under test. */
const schedule = (b: Belfry, options: object): Promise<unknown> => b.schedule("s", "0 9 * * *", "known", options);
const update = (b: Belfry, patch: object): Promise<unknown> => b.schedules.update("daily", patch);
const enqueue = (b: Belfry, options: object): Promise<unknown> => b.enqueue("known", undefined, options);

/** In Deno only; elsewhere options are checked before the runtime. */
const inDeno = (options: never): unknown => {
  try {
    return serveDeno(options);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
};

/** Those of the library, by the name that the finder gives. */
const LIBRARY: Readonly<Record<string, Row>> = {
  AesGcmOptions: {
    valid: { keys: { a: new Uint8Array(32) }, current: "a" },
    places: { "aesGcm(options)": (o) => aesGcm(o) },
  },
  AppOptions: { valid: { auth: "none" }, places: { "createApp(options)": (o, { b }) => createApp(b, o) } },
  AuthOptions: {
    valid: { verify: () => null },
    places: { "AppOptions.auth": (auth, { b }) => createApp(b, { auth }) },
  },
  Grant: {
    valid: { token: "a-long-random-text", scopes: ["read"] },
    places: { "AuthOptions.tokens": (rule, { b }) => createApp(b, { auth: { tokens: [rule] } }) },
  },
  SigningOptions: {
    valid: { secrets: ["0123456789abcdef0123456789abcdef"] },
    places: { "AuthOptions.signing": (signing, { b }) => createApp(b, { auth: { signing } }) },
  },
  TickBounds: { valid: {}, places: { "AppOptions.tick": (tick, { b }) => createApp(b, { auth: "none", tick }) } },
  TickCall: {
    valid: { method: "POST", url: "https://example.com/tick", now: 0 },
    places: { "signTick(call)": (call) => signTick("0123456789abcdef0123456789abcdef", call) },
  },
  BackfillOptions: {
    valid: range,
    places: { "Schedules.backfill(options)": (o, { b }) => b.schedules.backfill("daily", o) },
  },
  BelfryOptions: {
    valid: { storage: memory(), logger: silentLogger },
    places: {
      "Belfry(options)": (o) => new Belfry(o),
      "TestEngine(options)": (o) => new TestEngine(o, [], (_task, ctx) => ctx),
    },
  },
  CancelManyOptions: {
    valid: {},
    places: { "Jobs.cancelMany(options)": (o, { b }) => b.jobs.cancelMany({ queue: "none" }, o) },
  },
  CancelOptions: { valid: {}, places: { "JobHandle.cancel(options)": (o, { b, jobId }) => b.job(jobId).cancel(o) } },
  CatchUpLimits: {
    valid: { max: 3 },
    places: {
      "ScheduleOptions.catchUp": (catchUp, { b }) => schedule(b, { catchUp }),
      "SchedulePatch.catchUp": (catchUp, { b }) => update(b, { catchUp }),
    },
  },
  ChildOptions: {
    valid: {},
    places: {
      "Context.invoke(options)": (o, s) => inHandler(s, (ctx) => ctx.invoke("child", "known", 1, o)),
      "Context.spawn(options)": (o, s) => inHandler(s, (ctx) => ctx.spawn("child", "known", 1, o)),
    },
  },
  ConformanceOptions: {
    valid: { name: "x", test() {}, open() {}, manifest: { reopen: false, listen: false } },
    places: { "storageConformance(options)": (o) => storageConformance(o) },
  },
  "ConformanceOptions.manifest": {
    valid: { reopen: false, listen: false },
    places: {
      "ConformanceOptions.manifest": (manifest) => {
        storageConformance({ name: "x", test() {}, open: async () => ({ storage: memory() }), manifest });
      },
    },
  },
  ConsoleLoggerOptions: { valid: {}, places: { "consoleLogger(options)": (o) => consoleLogger(o) } },
  JsonLoggerOptions: { valid: {}, places: { "jsonLogger(options)": (o) => jsonLogger(o) } },
  CopyOptions: { valid: {}, places: { "copyStorage(options)": (o) => copyStorage(memory(), memory(), o) } },
  CalendarOptions: {
    valid: {},
    places: {
      "Recurrence(options)": (o) => new Recurrence("FREQ=DAILY", o),
      "rrule(options)": (o) => rrule("FREQ=DAILY", o),
    },
  },
  CronOptions: { valid: {}, places: { "Cron(options)": (o) => new Cron("0 9 * * *", o) } },
  DifferentialOptions: {
    valid: { model: memory(), subject: memory(), seed: 1, operations: 1 },
    places: { "storageDifferential(options)": (o) => storageDifferential(o) },
  },
  Downtime: {
    valid: range,
    places: { "ForecastOptions.downtime": (o, { b }) => b.schedules.forecast(spec, { ...range, downtime: [o] }) },
  },
  EnqueueOptions: {
    valid: {},
    places: {
      "Belfry.enqueue(options)": (o, { b }) => enqueue(b, o),
      "TypedJobRequest.options": (o, { b }) => b.enqueueMany([{ task: "known", options: o }]),
      "Jobs.statements(options)": (o) =>
        new Belfry({ storage: sqlite(new DatabaseSync(":memory:")) }).jobs.statements("known", 1, o),
    },
  },
  ExclusionRange: {
    valid: range,
    places: {
      "ScheduleOptions.exclude": (o, { b }) => schedule(b, { exclude: [o] }),
      "SchedulePatch.exclude": (o, { b }) => update(b, { exclude: [o] }),
    },
  },
  FailStepOptions: {
    valid: {},
    places: { "TestBelfry.failStep(options)": (o, { t }) => t.failStep("x", undefined, o) },
  },
  ForecastOptions: {
    valid: range,
    places: {
      "Schedules.forecast(options)": (o, { b }) => b.schedules.forecast(spec, o),
      "forecastSchedule(options)": (o) => forecastSchedule(spec, o),
    },
  },
  HealthOptions: { valid: {}, places: { "Belfry.health(options)": (o, { b }) => b.health(o) } },
  TypedJobRequest: {
    valid: { task: "known" },
    places: { "Belfry.enqueueMany(jobs)": (o, { b }) => b.enqueueMany([o]) },
  },
  LibsqlOptions: { valid: {}, places: { "libsql(options)": (o) => libsql(libsqlLike, o) } },
  LimitOptions: {
    valid: { key: "k", concurrency: 1 },
    places: {
      "EnqueueOptions.limit": (limit, { b }) => enqueue(b, { limit }),
      "ChildOptions.limit": (limit, s) => inHandler(s, (ctx) => ctx.invoke("child", "known", 1, { limit })),
    },
  },
  ListJobsOptions: { valid: {}, places: { "Jobs.list(options)": (o, { b }) => b.jobs.list(o) } },
  ListSchedulesOptions: { valid: {}, places: { "Schedules.list(options)": (o, { b }) => b.schedules.list(o) } },
  ManyJobsFilter: {
    valid: {},
    places: {
      "Jobs.retryMany(filter)": (o, { b }) => b.jobs.retryMany(o, { dryRun: true }),
      "Jobs.cancelMany(filter)": (o, { b }) => b.jobs.cancelMany(o, { dryRun: true }),
    },
  },
  MemoryOptions: { valid: {}, places: { "memory(options)": (o) => memory(o) } },
  ObjectOptions: { valid: { belfry() {} }, places: { "belfryObject(options)": (o) => belfryObject(o) } },
  OccurrenceOptions: {
    valid: {},
    places: { "Schedules.occurrences(options)": (o, { b }) => b.schedules.occurrences("daily", o) },
  },
  OneInstant: {
    valid: { at: "2027-01-01" },
    places: {
      "Belfry.schedule(expression)": (o, { b }) => b.schedule("once", o, "known"),
      "TypedScheduleSpec.expression": (expression, { b }) => b.schedules.preview({ ...spec, expression }),
      "ScheduleSpec.expression": (expression) => forecastSchedule({ ...spec, expression }, range),
      "SchedulePatch.expression": (expression, { b }) => update(b, { expression }),
    },
  },
  PauseOptions: { valid: {}, places: { "Schedules.pause(options)": (o, { b }) => b.schedules.pause("daily", o) } },
  PreviewOptions: {
    valid: {},
    places: { "Schedules.preview(options)": (o, { b }) => b.schedules.preview("daily", o) },
  },
  QueueOptions: { valid: {}, places: { "Queues.configure(options)": (o, { b }) => b.queues.configure("mail", o) } },
  Rate: {
    valid: { count: 1, per: "1s" },
    places: {
      "LimitOptions.rate": (rate, { b }) => enqueue(b, { limit: { key: "k", rate } }),
      "BackfillOptions.rate": (rate, { b }) => b.schedules.backfill("daily", { ...range, rate }),
      "QueueOptions.rate": (rate, { b }) => b.queues.configure("mail", { rate }),
      "TaskOptions.rate": (rate, { b }) => b.task(`rated-${count++}`, () => 1, { rate }),
    },
  },
  ResultOptions: {
    valid: { timeout: 0 },
    places: {
      "JobHandle.result(options)": (o, { b, jobId }) =>
        b
          .job(jobId)
          .result(o)
          .catch((error: { code?: string }) => {
            if (error.code !== "RESULT_TIMEOUT") throw error;
          }),
    },
  },
  ResumeOptions: { valid: {}, places: { "Schedules.resume(options)": (o, { b }) => b.schedules.resume("daily", o) } },
  RetentionOptions: {
    valid: {},
    places: {
      "BelfryOptions.retention": (retention) => new Belfry({ storage: memory(), retention }),
      "TestBelfryOptions.retention": (retention) => createTestBelfry({ retention }),
    },
  },
  RetryManyOptions: {
    valid: {},
    places: { "Jobs.retryMany(options)": (o, { b }) => b.jobs.retryMany({ queue: "none" }, o) },
  },
  RetryOptions: {
    valid: {},
    places: {
      "EnqueueOptions.retry": (retry, { b }) => enqueue(b, { retry }),
      "ScheduleOptions.retry": (retry, { b }) => schedule(b, { retry }),
      "SchedulePatch.retry": (retry, { b }) => update(b, { retry }),
      "StepOptions.retry": (retry, s) => inHandler(s, (ctx) => ctx.step("x", () => 1, { retry })),
      "ChildOptions.retry": (retry, s) => inHandler(s, (ctx) => ctx.invoke("x", "known", 1, { retry })),
      "TaskOptions.retry": (retry, { b }) => b.task(`retried-${count++}`, () => 1, { retry }),
    },
  },
  RunOptions: {
    valid: { signal: AbortSignal.abort() },
    places: { "Belfry.run(options)": (o) => new Belfry({ storage: memory(), logger: silentLogger }).run(o) },
  },
  ScheduleOptions: {
    valid: {},
    places: {
      "Belfry.schedule(options)": (o, { b }) => schedule(b, o),
      "TypedScheduleSpec.options": (options, { b }) => b.schedules.preview({ ...spec, options }),
      "ScheduleSpec.options": (options) => forecastSchedule({ ...spec, options }, range),
    },
  },
  SchedulePatch: { valid: {}, places: { "Schedules.update(patch)": (o, { b }) => update(b, o) } },
  ScheduleSpec: { valid: spec, places: { "forecastSchedule(spec)": (o) => forecastSchedule(o, range) } },
  TypedScheduleSpec: {
    valid: spec,
    places: {
      "Schedules.preview(schedule)": (o, { b }) => b.schedules.preview(o),
      "Schedules.forecast(spec)": (o, { b }) => b.schedules.forecast(o, range),
      "Belfry.sync(list)": (o, { b }) => b.sync([o], { owner: "me" }),
    },
  },
  ServeOptions: {
    valid: { belfry: new Belfry({ storage: memory() }), app },
    places: { "serve(options)": inDeno },
  },
  "ServeOptions of adapters/node.ts": {
    valid: { belfry: new Belfry({ storage: memory() }), app, port: 0, signal: AbortSignal.abort() },
    places: { "serve(options)": (o) => serveNode(o) },
  },
  ServeRunOptions: {
    valid: {},
    places: {
      "ServeOptions of adapters/node.ts.run": (run) =>
        serveNode({ belfry: new Belfry({ storage: memory() }), app, port: 0, signal: AbortSignal.abort(), run }),
    },
  },
  SignalOptions: {
    valid: {},
    places: {
      "JobHandle.signal(options)": (o, { b, jobId }) => b.job(jobId).signal("x", 1, o),
    },
  },
  SqlOptions: {
    valid: {},
    places: {
      "d1(options)": (o) => d1(d1Like, o),
      "durableObject(options)": (o) => durableObject(objectLike, o),
      "postgres(options)": (o) => postgres(pgLike, o),
    },
  },
  SqliteOptions: { valid: {}, places: { "sqlite(options)": (o) => sqlite(":memory:", o) } },
  StepOptions: {
    valid: {},
    places: { "Context.step(options)": (o, s) => inHandler(s, (ctx) => ctx.step("x", () => 1, o)) },
  },
  SyncOptions: { valid: { owner: "me" }, places: { "Belfry.sync(options)": (o, { b }) => b.sync([], o) } },
  TaskOptions: {
    valid: {},
    places: {
      "Belfry.task(options)": (o, { b }) => b.task(`task-${count++}`, () => 1, o),
      "Defined.options": (options, { b }) => b.task(`task-${count++}`, () => 1, options),
    },
  },
  TestBelfryOptions: { valid: {}, places: { "createTestBelfry(options)": (o) => createTestBelfry(o) } },
  TickOptions: {
    valid: {},
    places: {
      "Belfry.tick(options)": (o) => new Belfry({ storage: memory(), logger: silentLogger }).tick(o),
      "WorkerOptions.tick": (tick) => cloudflare({ belfry: () => new Belfry({ storage: memory() }), tick }),
      "ObjectOptions.tick": (tick) => belfryObject({ belfry: () => new Belfry({ storage: memory() }), tick }),
      "ServeOptions.tick": (tick) => inDeno({ belfry: new Belfry({ storage: memory() }), tick } as never),
    },
  },
  TriggerOptions: {
    valid: {},
    places: { "Schedules.trigger(options)": (o, { b }) => b.schedules.trigger("daily", o) },
  },
  WaitOptions: {
    valid: {},
    places: { "Context.waitFor(options)": (o, s) => inHandler(s, (ctx) => ctx.waitFor("x", o)) },
  },
  WorkerOptions: { valid: { belfry() {} }, places: { "cloudflare(options)": (o) => cloudflare(o) } },
};

/** All of them, by the name that the finder gives. */
export const TABLE: Readonly<Record<string, Row>> = {
  ...LIBRARY,
  ...Object.fromEntries(
    Object.entries(CLIENT).map(([name, { valid, places }]): [string, Row] => {
      const library = LIBRARY[name];
      return [name, library ? { valid: library.valid, places: { ...library.places, ...places } } : { valid, places }];
    }),
  ),
};

/** Found, but no options that a user writes by hand. */
export const EXEMPT: Readonly<Record<string, string>> = {
  Clock: "does something for Belfry",
  DurableObjectStorage: "does something for Belfry",
  LibsqlClient: "does something for Belfry",
  PgClient: "does something for Belfry",
  SqliteDatabase: "does something for Belfry",
  Storage: "does something for Belfry",
  StorageCapabilities: "a part of a storage",
  StandardSchema: "does something for Belfry",
  "StandardSchema.~standard": "a part of a schema",
  "StandardSchema.~standard.types": "a part of a schema",
  TemporalLike: "does something for Belfry",
  "TemporalLike.ZonedDateTime": "a part of Temporal",
  "TemporalLike.ZonedDateTime.prototype": "a part of Temporal",
  OpenTelemetryApi: "does something for Belfry",
  "openTelemetry(belfry)": "a Belfry",
  Defined: "made by Belfry",
  CronSyntaxDetails: "made by Belfry",
  "RequestError(details)": "made by Belfry",
  "PgClient.connection": "a part of a client",
  PgConnection: "does something for Belfry",
  "PgConnection.connection": "a part of a client",
  "PgClient.options": "a part of a client",
  "forecastSchedule(context)": "a Belfry's parts",
  "ClientJob(app)": "made by the client",
  Problem: "made by the server",
  ProblemIssue: "made by the server",
  ScheduledControllerLike: "made by Cloudflare",
  PlainDateLike: "a date of Temporal",
  Task: "made by belfry.task",
  "Task.types": "for the compiler only",
};
