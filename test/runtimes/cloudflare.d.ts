/** What the tests use of the modules that only workerd has; their full types need a package that nothing else does. */
declare module "cloudflare:test" {
  export const env: unknown;
  export function runInDurableObject<Result>(
    stub: unknown,
    run: (instance: unknown, state: never) => Result | Promise<Result>,
  ): Promise<Result>;
  export function runDurableObjectAlarm(stub: unknown): Promise<boolean>;
  export function createExecutionContext(): { waitUntil(promise: Promise<unknown>): void };
  export function waitOnExecutionContext(context: unknown): Promise<void>;
  export function createScheduledController(options?: { scheduledTime?: Date; cron?: string }): unknown;
}
