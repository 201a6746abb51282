/**
 * What travels about the engine as a whole: ticks, health, events.
 */
import * as v from "valibot";
import { HEALTH_CODES } from "../../../src/schedule/health.ts";
import {
  all,
  count,
  doc,
  durationText,
  type Field,
  flag,
  flagText,
  instant,
  maybeInstant,
  maybeWord,
  name,
  named,
  nullable,
  oneOf,
  optional,
  several,
  whole,
  word,
} from "./fields.ts";
import type * as wire from "./types/core.ts";

/** `/tick` */
export const tickQuery: Field<wire.TickQuery> = named(
  "TickQuery",
  "Bounds of a tick.",
  v.strictObject({
    for: optional(durationText, "Keep ticking and running for this long; one pass by default."),
    work: optional(flagText, "Whether to run jobs, too, where this program has tasks; true by default."),
  }),
);
/** `/tick` */
export const tickAnswer: Field<wire.TickAnswer> = named(
  "TickAnswer",
  "What a tick did.",
  v.strictObject({
    leader: doc(flag, "Whether it led; if not, another process holds the lease."),
    fired: doc(count, "How many jobs it made of occurrences."),
    skipped: doc(count, "How many occurrences it skipped."),
    ran: doc(count, "How many runs of jobs it brought to an end or a wait."),
    more: doc(flag, "More is due or ready: call again at once."),
    nextAt: doc(maybeInstant, "The next occurrence of any schedule; null where there is none."),
    jobsAt: doc(maybeInstant, "When some job can be claimed; null where none waits for time."),
    skewMs: doc(whole(), "The storage's clock minus this host's; 0 without a server."),
  }),
);

/** `/health` */
export const healthQuery: Field<wire.HealthQuery> = named(
  "HealthQuery",
  "What the health check reads.",
  v.strictObject({
    deep: optional(
      flagText,
      "Read every schedule, to name those that would break or have no next occurrence; needs the scope read.",
    ),
    maxLag: optional(durationText, "How long an occurrence may be due before that is a problem; 90s by default."),
  }),
);
const healthProblem = named(
  "HealthProblem",
  "One thing that is wrong.",
  v.strictObject({
    code: named("HealthCode", "What may be wrong.", oneOf(HEALTH_CODES)),
    schedule: doc(maybeWord, "Which schedule; null where it is about all."),
    message: word,
  }),
);
const lease = named(
  "Lease",
  "The right to fire, as it is stored.",
  v.strictObject({ holder: word, token: doc(count, "Grows with every change of holder."), expiresAt: instant }),
);
/** `/health` */
export const healthAnswer: Field<wire.HealthAnswer> = named(
  "HealthAnswer",
  "How the engine is; all but `ok` only for callers with the scope read.",
  v.strictObject({
    ok: doc(flag, "Nothing is wrong. Where something is, the status is 503."),
    problems: optional(all(healthProblem)),
    schedules: optional(
      v.strictObject({ active: count, paused: count, ended: count, broken: count }),
      "How many schedules there are, by state.",
    ),
    onlySkips: optional(count, "How many active schedules were due three or more times in a row without a job."),
    nextAt: optional(maybeInstant, "When a tick has something to decide next; in the past when the ticker lags."),
    lagMs: optional(count, "For how long it has been due."),
    lease: optional(nullable(lease), "The lease of the leader; null between single ticks."),
    skewMs: optional(whole(), "The storage's clock minus this host's."),
  }),
);

/** `/events` */
export const eventsQuery: Field<wire.EventsQuery> = named(
  "EventsQuery",
  "Which events to receive.",
  v.strictObject({
    name: optional(several(name), "Names such as `job:completed`, or their first halves (`job`); all by default."),
    job: optional(name, "Only those of this job."),
    schedule: optional(name, "Only those of this schedule."),
  }),
);
