/**
 * `/events`: the events of this process as server-sent events, for dashboards and tools.
 *
 * Events are hints; the other routes read what is stored. One feed per app keeps the last few hundred events, so a client
 * that reconnects with its `Last-Event-ID` misses none, or receives `gap` and has to read again. Where other processes use
 * the same storage, its notifications come as `change`: something was registered or enqueued somewhere. A client that
 * reads too slowly is disconnected.
 */

import type { Timer } from "../../src/base/clock.ts";
import type { Belfry } from "../../src/belfry.ts";
import type { EventName } from "../../src/engine/events.ts";
import { Refusal } from "./problem.ts";
import type { EventsQuery } from "./wire/mod.ts";

/** All events; the compiler refuses a list that lacks one. */
const NAMES: Record<EventName, true> = {
  "job:enqueued": true,
  "job:started": true,
  "job:completed": true,
  "job:failed": true,
  "job:retried": true,
  "job:cancelled": true,
  "job:suspended": true,
  "job:released": true,
  "job:lost": true,
  "step:completed": true,
  "step:failed": true,
  "step:retried": true,
  "signal:sent": true,
  "schedule:fired": true,
  "schedule:skipped": true,
  "schedule:paused": true,
  "schedule:ended": true,
  "schedule:broken": true,
  "lease:acquired": true,
  "lease:lost": true,
  "lease:resigned": true,
};

const KEPT = 500;
const HEARTBEAT_MS = 15_000;
/** How many events a client may be behind. */
const MAX_BEHIND = 2_000;

interface Item {
  readonly number: number;
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** Sends the events of one Belfry to any number of streams. */
export class EventFeed {
  readonly #belfry: Belfry;
  readonly #maxStreams: number;
  readonly #feed: string;
  readonly #kept: Item[] = [];
  readonly #streams = new Set<(item: Item) => void>();
  #count = 0;
  #unlisten: (() => Promise<void>) | undefined;
  #listening = false;

  /** @param maxStreams how many clients may listen at once */
  constructor(belfry: Belfry, maxStreams: number) {
    this.#belfry = belfry;
    this.#maxStreams = maxStreams;
    this.#feed = belfry.engine.holder.slice(0, 8);
  }

  /**
   * Opens a stream.
   *
   * @param lastId `Last-Event-ID` of a client that reconnects
   * @throws Refusal `TOO_MANY_STREAMS`
   */
  async open(query: EventsQuery, lastId: string | undefined): Promise<Response> {
    if (this.#streams.size >= this.#maxStreams) {
      throw new Refusal("TOO_MANY_STREAMS", `Cannot open another stream of events: ${this.#maxStreams} are open.`, {
        headers: { "Retry-After": "10" },
      });
    }
    await this.#listen();
    const { clock } = this.#belfry.engine;
    const encoder = new TextEncoder();
    const wants = filterOf(query);
    let close = (): void => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          let heartbeat: Timer;
          const send = (text: string): void => controller.enqueue(encoder.encode(text));
          const beat = (): void => {
            send(": still here\n\n");
            heartbeat = clock.setTimer(HEARTBEAT_MS, beat);
          };
          const take = (item: Item): void => {
            if (!wants(item)) return;
            if ((controller.desiredSize ?? 0) < -MAX_BEHIND) {
              close();
              controller.close();
              return;
            }
            send(item.text);
          };
          close = () => {
            heartbeat.cancel();
            this.#streams.delete(take);
            if (this.#streams.size === 0) void this.#stopListening();
          };
          send(`retry: 2000\n: events of ${this.#feed}\n\n`);
          heartbeat = clock.setTimer(HEARTBEAT_MS, beat);
          this.#replay(lastId, send, take);
          this.#streams.add(take);
        },
        cancel: () => close(),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, {
      headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" },
    });
  }

  #replay(lastId: string | undefined, send: (text: string) => void, take: (item: Item) => void): void {
    if (lastId === undefined) return;
    const [feed, number] = lastId.split(".");
    const first = this.#kept[0]?.number ?? this.#count + 1;
    const last = Number(number);
    if (feed !== this.#feed || !Number.isInteger(last) || last > this.#count || last < first - 1) {
      send("event: gap\ndata: {}\n\n");
      return;
    }
    for (const item of this.#kept) if (item.number > last) take(item);
  }

  /** Subscribes to events with the first stream; from then on they are kept also while nobody is connected. */
  async #listen(): Promise<void> {
    const { events, storage } = this.#belfry.engine;
    if (!this.#listening) {
      this.#listening = true;
      for (const name of Object.keys(NAMES) as EventName[]) {
        events.on(name, (payload) => this.#take(name, payload as unknown as Readonly<Record<string, unknown>>));
      }
    }
    if (this.#unlisten || !storage.listen || !storage.capabilities.shared) return;
    try {
      await this.#belfry.engine.open();
      this.#unlisten = await storage.listen((wake) => this.#take("change", { wake }));
    } catch (error) {
      this.#belfry.engine.report(error, "listening for changes");
    }
  }

  async #stopListening(): Promise<void> {
    const unlisten = this.#unlisten;
    this.#unlisten = undefined;
    try {
      await unlisten?.();
    } catch (error) {
      this.#belfry.engine.report(error, "ending to listen for changes");
    }
  }

  #take(name: string, payload: Readonly<Record<string, unknown>>): void {
    const number = ++this.#count;
    const data = JSON.stringify({ at: this.#belfry.engine.clock.now(), ...payload });
    const item = { number, name, payload, text: `event: ${name}\nid: ${this.#feed}.${number}\ndata: ${data}\n\n` };
    this.#kept.push(item);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const stream of [...this.#streams]) stream(item);
  }
}

function filterOf({ name, job, schedule }: EventsQuery): (item: Item) => boolean {
  return (item) => {
    if (name && !name.some((wanted) => item.name === wanted || item.name.startsWith(`${wanted}:`))) return false;
    if (job !== undefined && item.payload["id"] !== job && item.payload["jobId"] !== job) return false;
    return schedule === undefined || item.payload["schedule"] === schedule;
  };
}
