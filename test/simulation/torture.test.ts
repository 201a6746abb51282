/** Do six processes on one database keep the promises while they are killed? For 12 s; for ten minutes with BELFRY_LONG. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const LONG = process.env["BELFRY_LONG"] === "1";
const MINUTES = LONG ? 10 : 0.2;

function torture(on: string): Promise<{ code: number | null; said: string }> {
  const program = fileURLToPath(new URL("torture/main.ts", import.meta.url));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, "--on", on, "--minutes", String(MINUTES)]);
    let said = "";
    child.stdout.on("data", (part: Buffer) => {
      said += part.toString();
    });
    child.stderr.on("data", (part: Buffer) => {
      said += part.toString();
    });
    child.on("close", (code) => resolve({ code, said }));
  });
}

for (const on of LONG ? ["sqlite", "libsql", "postgres"] : ["sqlite"]) {
  test(`${on}: six processes killed and stopped for ${MINUTES} minutes leave every occurrence one job and every job its end`, {
    timeout: MINUTES * 60_000 + 240_000,
  }, async () => {
    const { code, said } = await torture(on);
    expect(said).toContain("found: []");
    expect(code).toBe(0);
  });
}
