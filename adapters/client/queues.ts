/**
 * All queues of a remote app, as `client.queues`: how deep they are, their limits, pause and resume.
 */
import type { QueueOptions } from "../../src/job/queues.ts";
import type * as wire from "../hono/wire/mod.ts";
import { part, type Send } from "./request.ts";
import type { Shape } from "./shape.ts";

const SETTINGS: Shape<wire.QueueSettings> = { name: "text", paused: "flag" };

/** The queues of an installation. Methods throw `RequestError` when they are refused or get no usable answer. */
export class ClientQueues {
  readonly #send: Send;

  /** @param send calls the app */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Lists every queue that has settings, or unfinished or failed jobs. */
  async list(): Promise<wire.QueueAnswer[]> {
    return (await this.#send<wire.QueuesAnswer>("GET", "/queues", { gives: { items: "list" } })).items;
  }

  /** Sets limits of a queue, or pauses it; what is not given stays as it is. @returns all settings as they are now */
  configure(name: string, options: QueueOptions): Promise<wire.QueueSettings> {
    return this.#send("PATCH", `/queues/${part(name)}`, { json: options, gives: SETTINGS });
  }

  /** Pauses a queue: nothing of it is claimed, running jobs go on. */
  pause(name: string): Promise<wire.QueueSettings> {
    return this.#send("POST", `/queues/${part(name)}/pause`, { json: {}, gives: SETTINGS });
  }

  /** Resumes a paused queue. */
  resume(name: string): Promise<wire.QueueSettings> {
    return this.#send("POST", `/queues/${part(name)}/resume`, { json: {}, gives: SETTINGS });
  }
}
