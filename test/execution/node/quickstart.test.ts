/** The quickstart of docs/durable.md, as it stands there: it dies of SIGKILL, and its second run finishes the job. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("the quickstart crashes on purpose and recovers, printing what the page says", () => {
  const page = readFileSync(join(root, "docs/durable.md"), "utf8");
  const [, code] = /```ts no-run\n([\s\S]*?)```/.exec(page)!;
  const [, shown] = /```text\n([\s\S]*?)```/.exec(page)!;
  const folder = mkdtempSync(join(tmpdir(), "belfry-quickstart-"));
  const program = code!
    .replace('"belfry"', JSON.stringify(join(root, "mod.ts")))
    .replace('"belfry/sqlite"', JSON.stringify(join(root, "adapters/sqlite.ts")));
  writeFileSync(join(folder, "crash.ts"), program);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const run = (): { out: string; signal: string | null } => {
    const child = spawnSync(process.execPath, ["crash.ts"], { cwd: folder, encoding: "utf8", timeout: 60_000 });
    return { out: child.stdout, signal: child.signal };
  };
  const first = run();
  const second = run();
  rmSync(folder, { recursive: true, force: true });
  expect(first.signal).toBe("SIGKILL");
  expect(second.signal).toBeNull();
  expect(`$ node crash.ts\n${first.out}Killed\n$ node crash.ts\n${second.out}`).toBe(shown);
}, 180_000);
