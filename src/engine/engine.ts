/**
 * What the rooms of the engine share: the storage, time, chance, the codec, the tasks, and where errors go.
 *
 * `belfry.ts` makes one and hands it to the scheduler and the worker; they hold no globals, so any number of engines
 * can live in one process, which is how the tests and the simulator run them.
 */
import type { CorrectedClock } from "../base/clock.ts";
import type { Codec } from "../base/codec.ts";
import type { Ids } from "../base/id.ts";
import type { Logger } from "../base/log.ts";
import type { TemporalLike } from "../cron/mod.ts";
import type { Storage } from "../storage/port.ts";
import type { TaskRegistry } from "../task/task.ts";
import type { EventSink } from "./events.ts";

/** Everything a room of the engine may use. */
export interface Engine {
  readonly storage: Storage;
  readonly clock: CorrectedClock;
  readonly ids: Ids;
  readonly codec: Codec;
  readonly tasks: TaskRegistry;
  readonly events: EventSink;
  readonly logger: Logger;
  /** Default zone of schedules. */
  readonly timeZone: string;
  readonly temporal: TemporalLike | undefined;
  /** Name of this engine among all on the storage: the lease's holder, the claims' worker. */
  readonly holder: string;
  /** Opens the storage once; everything that talks to it awaits this first. */
  open(): Promise<void>;
  /** Takes an error that nobody awaits to `onError`; never throws. */
  report(error: unknown, during: string): void;
}

/** Learns the server's time from a reply, where the storage reports one. */
export async function timed<T extends { time?: number }>(engine: Engine, send: () => Promise<T>): Promise<T> {
  const sentMs = engine.clock.monotonic();
  const reply = await send();
  if (reply.time !== undefined) engine.clock.observe(reply.time, sentMs);
  return reply;
}
