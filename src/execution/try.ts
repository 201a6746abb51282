/**
 * How is one try of a step run? The user's function gets its signal and its time limit.
 *
 * The result is a value, whatever the function does. At the time limit the try ends even if the function goes on: its signal
 * aborts, and its later result is ignored.
 */
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { StepContext } from "../task/context.ts";

/** How a try ended. */
export type TryResult = { ok: true; value: unknown } | { ok: false; error: unknown };

/** What a try needs. */
export interface TryRequest {
  clock: Clock;
  name: string;
  run: (step: StepContext) => unknown;
  /** Number of this try, 1-based. */
  tries: number;
  key: string;
  fence: number;
  timeoutMs: number | null;
  /** The run's signal, made when it is first read. */
  signal: () => AbortSignal;
}

/** Runs one try. Never rejects. */
export async function runTry(request: TryRequest): Promise<TryResult> {
  const { clock, name, run, tries, key, fence, timeoutMs } = request;
  if (timeoutMs === null) {
    const step: StepContext = {
      tries,
      key,
      fence,
      get signal() {
        return request.signal();
      },
    };
    try {
      return { ok: true, value: await run(step) };
    } catch (error) {
      return { ok: false, error };
    }
  }
  const controller = new AbortController();
  const outer = request.signal();
  const follow = (): void => controller.abort(outer.reason);
  if (outer.aborted) follow();
  else outer.addEventListener("abort", follow, { once: true });
  return new Promise((resolve) => {
    const finish = (result: TryResult): void => {
      timer.cancel();
      outer.removeEventListener("abort", follow);
      resolve(result);
    };
    const timer = clock.setTimer(timeoutMs, () => {
      const text = `Step ${JSON.stringify(name)} took longer than its timeout of ${formatDuration(timeoutMs)}`;
      const error = new BelfryError("STEP_TIMEOUT", text);
      finish({ ok: false, error });
      controller.abort(error);
    });
    // Inside the promise chain, so that a function that throws synchronously rejects like any other.
    Promise.resolve()
      .then(() => run({ tries, key, fence, signal: controller.signal }))
      .then(
        (value) => finish({ ok: true, value }),
        (error) => finish({ ok: false, error }),
      );
  });
}
