/**
 * What travels about queues: depths and settings.
 */
import * as v from "valibot";
import { rate, rateBody } from "./common.ts";
import { all, count, doc, type Field, flag, maybeInstant, named, nullable, optional, whole, word } from "./fields.ts";
import type * as wire from "./types/queues.ts";

/** `PATCH /queues/:queue` */
export const queueBody: Field<wire.QueueBody> = named(
  "QueueBody",
  "Settings of a queue to change; what is absent stays.",
  v.strictObject({
    paused: optional(flag),
    concurrency: optional(nullable(whole(1, 1_000_000)), "How many of its jobs run at once; null: no limit."),
    rate: optional(nullable(rateBody), "How many of its jobs start in any window; null: no limit."),
  }),
);

const settings = { paused: flag, concurrency: nullable(whole(1)), rate: nullable(rate) };

/** `PATCH /queues/:queue` */
export const queueSettings: Field<wire.QueueSettings> = named(
  "QueueSettings",
  "A queue's settings.",
  v.strictObject({ name: word, ...settings }),
);

const queueAnswer = named(
  "QueueAnswer",
  "A queue, its depths and settings.",
  v.strictObject({
    name: word,
    ready: doc(count, "Claimable now."),
    scheduled: doc(count, "Ready later: delayed, sleeping, backing off."),
    held: doc(count, "Held back by a limit."),
    running: count,
    waiting: count,
    failed: count,
    oldestReadyAt: doc(maybeInstant, "When the oldest claimable job became available."),
    ...settings,
  }),
);
/** `GET /queues` */
export const queuesAnswer: Field<wire.QueuesAnswer> = named(
  "QueuesAnswer",
  "All queues with unfinished or failed jobs or settings.",
  v.strictObject({ items: all(queueAnswer) }),
);
