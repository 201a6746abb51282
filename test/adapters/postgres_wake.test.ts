/** Are listeners of another process called, over NOTIFY, for the changes that matter to them? */
import { expect, inject, test } from "vitest";
import { postgres } from "../../adapters/postgres.ts";
import type { Wake } from "../../src/storage/port.ts";
import { newJob, newSchedule } from "../../src/testing/conformance/rig.ts";
import { freshSchema } from "../engines/databases.ts";
import { until } from "../engines/ports.ts";

test("a listener on Postgres is called for jobs, schedules and a lease given up, and listens again after its connection broke", async () => {
  const schema = await freshSchema(inject("postgresUrl"));
  const writer = postgres(schema.pool());
  await writer.migrate({ now: 0 });
  const ears = schema.pool({ application_name: "ears" });
  const listener = postgres(ears);
  const heard: Wake[] = [];
  const stop = await listener.listen!((wake) => heard.push(wake));
  const hears = async (wake: Wake, write: () => Promise<unknown>): Promise<void> => {
    heard.length = 0;
    await write();
    await until(() => heard.includes(wake), `a wake "${wake}"`);
  };

  await hears("jobs", () => writer.enqueue({ op: "e", now: 1, jobs: [newJob("a", { availableAt: 1 })] }));
  expect(heard).not.toContain("schedules");
  const put = { revision: null, record: newSchedule("s"), jobs: [], occurrences: [] };
  await hears("schedules", () => writer.putSchedules({ op: "p", now: 1, puts: [put], removes: [], owner: null }));
  const tick = { holder: "h", token: null, now: 1, ttlMs: 1000, maxDue: 10 };
  const { lease } = await writer.beginTick({ ...tick, resignIfIdle: false });
  await hears("schedules", () => writer.resign({ holder: "h", token: lease!.token, now: 1 }));
  await hears("schedules", () => writer.beginTick({ ...tick, resignIfIdle: true }));

  // The server cuts its connection; it listens again and calls once.
  heard.length = 0;
  await schema.pool().query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ears'");
  await until(() => heard.includes("any"), "the listener to come back");
  await hears("jobs", () => writer.enqueue({ op: "e2", now: 1, jobs: [newJob("b", { availableAt: 1 })] }));

  // After it stopped it is called no more, while another listener is.
  const other = postgres(schema.pool());
  const heardByOther: Wake[] = [];
  const stopOther = await other.listen!((wake) => heardByOther.push(wake));
  await stop();
  heard.length = 0;
  await writer.enqueue({ op: "e3", now: 1, jobs: [newJob("c", { availableAt: 1 })] });
  await until(() => heardByOther.includes("jobs"), "the other listener to hear of the job");
  expect(heard).toEqual([]);
  await stopOther();
  await other.close();
  await listener.close();
  await writer.close();
  await schema.dispose();
});
