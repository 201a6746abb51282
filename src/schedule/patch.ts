/**
 * What does `update` register? The stored definition, turned back into options, with some of them changed.
 */
import { decodePayload } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { ScheduleRecord } from "../storage/port.ts";
import type { RetryPolicy, StorableRetry } from "../task/retry.ts";
import type { AnyTask, Known, TaskReference } from "../task/task.ts";
import type { ScheduleSpec } from "./define.ts";
import { readDefinition, type ScheduleDefinition } from "./definition.ts";
import { type CatchUp, type Expression, OPTION_NAMES, type ScheduleOptions, type StoredCatchUp } from "./options.ts";

/** Which options to change; null takes an option back to its default. */
export type SchedulePatch<Input = unknown> = {
  readonly [Option in keyof ScheduleOptions]?: ScheduleOptions<NoInfer<Known<Input>>>[Option] | null;
} & {
  readonly expression?: Expression;
  readonly task?: TaskReference<Input> | AnyTask<Input>;
};

const anyOption = Object.fromEntries(
  ["expression", "task", ...OPTION_NAMES].map((name) => [name, anything]),
) as Checks<SchedulePatch>;

/**
 * Checks which keys a patch has; its values are checked when it is applied.
 *
 * @throws BelfryError `OPTION_INVALID`
 */
export function checkPatch(name: string, patch: SchedulePatch): void {
  checkOptions(patch, `the update of schedule ${JSON.stringify(name)}`, anyOption);
}

/**
 * Makes the specification of a changed schedule.
 *
 * @returns also the fields that stay as they are stored, because their stored form says more than an option could
 * @throws BelfryError `SCHEDULE_BROKEN` where the stored definition cannot be read
 */
export async function specOf(
  engine: Engine,
  record: ScheduleRecord,
  patch: SchedulePatch,
): Promise<{ spec: ScheduleSpec; keeps: Partial<ScheduleDefinition> }> {
  const { name, createdAt } = record;
  const read = readDefinition(record, engine);
  if (read instanceof Error) {
    throw new BelfryError(
      "SCHEDULE_BROKEN",
      `Cannot update schedule ${JSON.stringify(name)}: what is stored cannot be read here (${read.message}); register it anew`,
      { cause: read },
    );
  }
  const { definition } = read;
  const { expression = definition.expression, task = definition.task, ...changes } = patch;
  const keeps: { -readonly [Field in keyof ScheduleDefinition]?: ScheduleDefinition[Field] } = {};
  if (changes.input === undefined) keeps.input = definition.input;
  if (changes.exclude === undefined) keeps.exclude = definition.exclude;
  if (patch.task === undefined) keeps.rate = definition.rate;
  const stored = optionsOf(definition);
  if (changes.input === undefined) {
    stored.input = await decodePayload(engine.codec, definition.input, `input of schedule ${JSON.stringify(name)}`);
  }
  const options: Record<string, unknown> = { ...stored };
  for (const [option, value] of Object.entries(changes)) {
    if (value === null) delete options[option];
    else if (value !== undefined) options[option] = value;
  }
  return { spec: { name, expression, task: task as string, options, createdAt }, keeps };
}

/** Options that give a definition, but for its input and its excluded occurrences. */
function optionsOf(definition: ScheduleDefinition): {
  -readonly [Option in keyof ScheduleOptions]: ScheduleOptions[Option];
} {
  const { timeZone, days, dst, startAt, endAt, maxFires, queue, priority, overlap, tags, pauseAfterFailures, paused } =
    definition;
  const { expiresInMs, jitterMs, retry, timeoutMs } = definition;
  return {
    timeZone,
    days,
    dst,
    queue,
    priority,
    overlap,
    tags,
    paused,
    catchUp: writtenCatchUp(definition.catchUp),
    jitter: jitterMs,
    ...(startAt === null ? {} : { startAt }),
    ...(endAt === null ? {} : { endAt }),
    ...(maxFires === null ? {} : { maxFires }),
    ...(expiresInMs === null ? {} : { expiresIn: expiresInMs }),
    ...(retry === null ? {} : { retry: writtenRetry(retry) }),
    ...(timeoutMs === null ? {} : { timeout: timeoutMs }),
    ...(pauseAfterFailures === null ? {} : { pauseAfterFailures }),
  };
}

function writtenCatchUp(stored: StoredCatchUp): CatchUp {
  if (typeof stored === "string") return stored;
  return {
    ...(stored.withinMs === undefined ? {} : { within: stored.withinMs }),
    ...(stored.max === undefined ? {} : { max: stored.max }),
  };
}

function writtenRetry({ initialMs, maxMs, ...same }: RetryPolicy): StorableRetry {
  return { ...same, initial: initialMs, max: maxMs };
}
