// Builds dist/, what npm users get: JavaScript and declarations of mod.ts, src/ and adapters/, by tsc alone.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { node, root } from "./ensure.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
const { status } = spawnSync(node, ["node_modules/.bin/tsc", "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
