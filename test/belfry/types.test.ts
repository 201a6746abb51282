/**
 * Do the types take what is right and refuse what is wrong? The compiler is the test (`tsc -p .` reads every
 * `@ts-expect-error`); the calls themselves are never made.
 */
import { expect, expectTypeOf, it } from "vitest";
import type { Client, ClientJob } from "../../adapters/client.ts";
import type {
  Belfry,
  Context,
  EnqueueOptions,
  JobHandle,
  ScheduleSpec,
  SchemaInput,
  StandardSchema,
  Task,
  TaskReference,
} from "../../mod.ts";

interface Report {
  userId: number;
  format?: "pdf" | "csv";
}

declare const schema: StandardSchema<{ text: string }, { text: string; length: number }>;

/** Never called: what is written here is read by the compiler alone. */
function calls(belfry: Belfry): unknown {
  const report = belfry.task("report", (_ctx, input: Report) => input.userId);
  const tidy = belfry.task("tidy", () => "done");
  const maybe = belfry.task("maybe", (_ctx, input: Report | undefined) => input?.userId ?? 0);
  const anyInput = belfry.task("any", (_ctx, input: unknown) => input);
  const checked = belfry.task("checked", (_ctx, input) => input.length, { input: schema });
  expectTypeOf<SchemaInput<typeof schema>>().toEqualTypeOf<{ text: string }>();
  const options: EnqueueOptions = { priority: 1 };

  // ---------------------------------------------------------------- enqueue
  expectTypeOf(belfry.enqueue(report, { userId: 1 })).toEqualTypeOf<Promise<JobHandle<number>>>();
  expectTypeOf(belfry.enqueue(tidy)).toEqualTypeOf<Promise<JobHandle<string>>>();
  expectTypeOf(belfry.enqueue("elsewhere")).toEqualTypeOf<Promise<JobHandle>>();
  const taken = [
    belfry.enqueue(report, { userId: 1, format: "pdf" }, options),
    belfry.enqueue(tidy, undefined, options),
    belfry.enqueue(maybe),
    belfry.enqueue(maybe, { userId: 1 }),
    belfry.enqueue(anyInput),
    belfry.enqueue(anyInput, { anything: true }),
    belfry.enqueue(checked, { text: "hello" }),
    belfry.enqueue("elsewhere", { anything: true }, options),
    belfry.enqueue(report as TaskReference, { anything: true }, options),
    belfry.jobs.statements(report, { userId: 1 }),
  ];
  const refused = [
    // @ts-expect-error the task requires an input
    belfry.enqueue(report),
    // @ts-expect-error of another type
    belfry.enqueue(report, { userId: "1" }),
    // @ts-expect-error with a property that the task does not know
    belfry.enqueue(report, { userId: 1, formt: "pdf" }),
    // @ts-expect-error the task takes none
    belfry.enqueue(tidy, { userId: 1 }),
    // @ts-expect-error what the schema puts out is not what it takes
    belfry.enqueue(checked, { text: "hello", length: 5 }),
    // @ts-expect-error no such option
    belfry.enqueue(tidy, undefined, { prioritty: 1 }),
    // @ts-expect-error no such option
    belfry.enqueue("elsewhere", undefined, { prioritty: 1 }),
    // @ts-expect-error the task requires an input
    belfry.jobs.statements(report),
  ];

  // ---------------------------------------------------------------- enqueueMany
  const jobs = [{ task: report, input: { userId: 1 } }];
  taken.push(
    belfry.enqueueMany([
      { task: report, input: { userId: 1 } },
      { task: tidy },
      { task: "elsewhere", input: { anything: true }, options },
    ]) as never,
    belfry.enqueueMany(jobs) as never,
    belfry.enqueueMany(Array.from({ length: 3 }, (_, userId) => ({ task: report, input: { userId } }))) as never,
    belfry.enqueueMany(Array.from({ length: 3 }, () => ({ task: "elsewhere" }))) as never,
  );
  refused.push(
    // @ts-expect-error the task requires an input
    belfry.enqueueMany([{ task: tidy }, { task: report }]) as never,
    // @ts-expect-error of another type
    belfry.enqueueMany([{ task: report, input: { userId: "1" } }]) as never,
    // @ts-expect-error with a property that the task does not know
    belfry.enqueueMany([{ task: report, input: { userId: 1, formt: "pdf" } }]) as never,
    // @ts-expect-error no such option
    belfry.enqueueMany([{ task: tidy, options: { prioritty: 1 } }]) as never,
    // @ts-expect-error no such key
    belfry.enqueueMany([{ task: tidy, optoins: options }]) as never,
  );

  // ---------------------------------------------------------------- schedule
  taken.push(
    belfry.schedule("a", "@daily", report, { input: { userId: 1 }, timeZone: "Europe/Oslo" }) as never,
    belfry.schedule("b", "@daily", tidy) as never,
    belfry.schedule("c", "@daily", tidy, { overlap: "skip" }) as never,
    belfry.schedule("d", "@daily", "elsewhere", { input: { anything: true } }) as never,
    belfry.schedule("e", "@daily", checked, { input: { text: "hello" } }) as never,
    belfry.schedule("f", "@daily", maybe) as never,
  );
  refused.push(
    // @ts-expect-error the task requires an input
    belfry.schedule("a", "@daily", report) as never,
    // @ts-expect-error the task requires an input
    belfry.schedule("a", "@daily", report, { overlap: "skip" }) as never,
    // @ts-expect-error of another type
    belfry.schedule("a", "@daily", report, { input: { userId: "1" } }) as never,
    // @ts-expect-error with a property that the task does not know
    belfry.schedule("a", "@daily", report, { input: { userId: 1, formt: "pdf" } }) as never,
    // @ts-expect-error the task takes none
    belfry.schedule("a", "@daily", tidy, { input: { userId: 1 } }) as never,
    // @ts-expect-error no such option
    belfry.schedule("a", "@daily", tidy, { timezone: "UTC" }) as never,
  );

  // ---------------------------------------------------------------- sync, preview, forecast
  const entry = { name: "a", expression: "@daily" };
  const owner = { owner: "app" };
  const range = { from: "2026-01-01", to: "2026-02-01" };
  const specs: ScheduleSpec[] = [{ ...entry, task: "elsewhere" }];
  taken.push(
    belfry.sync(
      [
        { ...entry, task: report, options: { input: { userId: 1 } } },
        { ...entry, name: "b", task: tidy },
        { ...entry, name: "c", task: "elsewhere", options: { input: 1 } },
      ],
      owner,
    ) as never,
    belfry.sync(specs, owner) as never,
    belfry.schedules.preview({ ...entry, task: tidy }) as never,
    belfry.schedules.forecast({ ...entry, task: report, options: { input: { userId: 1 } } }, range) as never,
  );
  refused.push(
    // @ts-expect-error the task requires an input
    belfry.sync([{ ...entry, task: report }], owner) as never,
    belfry.sync(
      [
        { ...entry, task: tidy },
        // @ts-expect-error the task requires an input
        { ...entry, task: report, options: { overlap: "skip" } },
      ],
      owner,
    ) as never,
    // @ts-expect-error of another type
    belfry.sync([{ ...entry, task: report, options: { input: { userId: "1" } } }], owner) as never,
    // @ts-expect-error with a property that the task does not know
    belfry.sync([{ ...entry, task: report, options: { input: { userId: 1, formt: "pdf" } } }], owner) as never,
    // @ts-expect-error no such option
    belfry.sync([{ ...entry, task: tidy, options: { timezone: "UTC" } }], owner) as never,
    // @ts-expect-error no such key
    belfry.sync([{ ...entry, task: tidy, option: {} }], owner) as never,
  );

  // ---------------------------------------------------------------- the rest
  taken.push(
    belfry.schedules.trigger<Report>("a", { input: { userId: 1 } }) as never,
    belfry.schedules.trigger("a", { input: { anything: true } }) as never,
    belfry.schedules.update("a", { task: report, input: { userId: 1 } }) as never,
    belfry.schedules.update("a", { catchUp: null }) as never,
    belfry.jobs.retryMany({ task: "report" }, { dryRun: true }) as never,
  );
  refused.push(
    // @ts-expect-error of another type than was said
    belfry.schedules.trigger<Report>("a", { input: { userId: "1" } }) as never,
    // @ts-expect-error of another type than the task takes
    belfry.schedules.update("a", { task: report, input: { userId: "1" } }) as never,
    // @ts-expect-error no such option
    belfry.schedules.update("a", { timezone: "UTC" }) as never,
    // @ts-expect-error no such key
    belfry.jobs.retryMany({ taks: "report" }) as never,
    // @ts-expect-error no such option
    belfry.jobs.retryMany({}, { dryrun: true }) as never,
    // @ts-expect-error a filter must be given
    belfry.jobs.cancelMany() as never,
    // @ts-expect-error a rate has a window
    belfry.queues.configure("mail", { rate: { count: 5 } }) as never,
  );
  return [taken, refused];
}

/** The client takes what the library takes. */
function clientCalls(client: Client, report: Task<Report, number>, tidy: Task<undefined, string>): unknown {
  expectTypeOf(client.enqueue(report, { userId: 1 })).toEqualTypeOf<Promise<ClientJob<number>>>();
  return [
    client.enqueue(tidy),
    client.enqueueMany([{ task: report, input: { userId: 1 } }, { task: tidy }]),
    client.schedule("a", "@daily", report, { input: { userId: 1 } }),
    // @ts-expect-error the task requires an input
    client.enqueue(report),
    // @ts-expect-error with a property that the task does not know
    client.enqueueMany([{ task: report, input: { userId: 1, formt: "pdf" } }]),
    // @ts-expect-error the task requires an input
    client.schedule("a", "@daily", report),
  ];
}

/** Never called, like the calls above. */
async function inHandler(ctx: Context, report: Task<Report, number>, tidy: Task<undefined, string>) {
  expectTypeOf(await ctx.waitFor<boolean>("yes")).toEqualTypeOf<boolean>();
  expectTypeOf(await ctx.waitFor<boolean>("yes", { signal: "approval" })).toEqualTypeOf<boolean>();
  expectTypeOf(await ctx.waitFor<boolean>("yes", { timeout: "2d" })).toEqualTypeOf<boolean | undefined>();
  expectTypeOf(await ctx.waitFor<boolean>("yes", { timeout: "2d", onTimeout: "undefined" })).toEqualTypeOf<
    boolean | undefined
  >();
  expectTypeOf(await ctx.waitFor<boolean>("yes", { timeout: "2d", onTimeout: "throw" })).toEqualTypeOf<boolean>();
  expectTypeOf(await ctx.invoke("a", report, { userId: 1 })).toEqualTypeOf<number>();
  expectTypeOf(await ctx.invoke("b", tidy)).toEqualTypeOf<string>();
  expectTypeOf(await ctx.invoke("b", tidy, undefined, { priority: 1 })).toEqualTypeOf<string>();
  expectTypeOf(await ctx.invoke("c", "elsewhere", { anything: true })).toEqualTypeOf<unknown>();
  expectTypeOf(await ctx.spawn("d", report, { userId: 1 })).toEqualTypeOf<string>();
  // @ts-expect-error the task requires an input
  await ctx.invoke("a", report);
  // @ts-expect-error of another type
  await ctx.invoke("a", report, { userId: "1" });
  // @ts-expect-error with a property that the task does not know
  await ctx.spawn("a", report, { userId: 1, formt: "pdf" });
  // @ts-expect-error a child has no key of its own
  await ctx.invoke("b", tidy, undefined, { key: "k" });
  // @ts-expect-error no such option
  await ctx.waitFor("yes", { timout: "2d" });
}

it("types of inputs, options and results are held by the compiler", () => {
  expect([calls, clientCalls, inHandler]).toHaveLength(3);
});
