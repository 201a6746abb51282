/**
 * Which statements does a storage keep ready? All whose text is known beforehand, made once, by subject.
 */
import type { Templates } from "../template.ts";
import { type CancelStatements, cancelStatements } from "./cancel.ts";
import { type ClaimStatements, claimStatements } from "./claim.ts";
import { type EndingEffectStatements, endingEffectStatements } from "./ending_effects.ts";
import { type EnqueueStatements, enqueueStatements } from "./enqueue.ts";
import { type FireStatements, fireStatements } from "./fire.ts";
import { type LeaseStatements, leaseStatements } from "./lease.ts";
import { type PurgeStatements, purgeStatements } from "./purge.ts";
import { type ScheduleStatements, scheduleStatements } from "./put.ts";
import { queueStateStatements } from "./queue_state.ts";
import { type ReadStatements, readStatements } from "./read.ts";
import { type SaveStatements, saveStatements } from "./save.ts";
import { type SignalStatements, signalStatements } from "./signal.ts";
import { type StatsStatements, statsStatements } from "./stats.ts";

/** The statements of a storage. */
export interface Statements {
  readonly effects: EndingEffectStatements;
  readonly lease: LeaseStatements;
  readonly fire: FireStatements;
  readonly put: ScheduleStatements;
  readonly enqueue: EnqueueStatements;
  readonly claim: ClaimStatements;
  readonly save: SaveStatements;
  readonly signal: SignalStatements;
  readonly cancel: CancelStatements;
  readonly read: ReadStatements;
  readonly purge: PurgeStatements;
  readonly stats: StatsStatements;
}

/** Makes the statements. @param notification text of a SELECT that notifies others of a lease that was given up, or null */
export function prepare(t: Templates, notification: string | null): Statements {
  const effects = endingEffectStatements(t);
  const fire = fireStatements(t, effects);
  const enqueue = enqueueStatements(t, effects.limits);
  return {
    effects,
    lease: leaseStatements(t, notification),
    fire,
    put: scheduleStatements(t, fire),
    enqueue,
    claim: claimStatements(t, effects, queueStateStatements(t)),
    save: saveStatements(t, effects, enqueue),
    signal: signalStatements(t),
    cancel: cancelStatements(t, effects),
    read: readStatements(t),
    purge: purgeStatements(t),
    stats: statsStatements(t),
  };
}
