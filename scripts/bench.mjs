// Runs a bench: npm run bench -- NAME [args]. Installs the peers that only benches need, once.
//
//   npm run bench              lists them
//   npm run bench -- cron      runs bench/cron/main.ts
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ensure, node, root } from "./ensure.mjs";

const folder = join(root, "bench");
const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
  if (entry.isDirectory() && existsSync(join(folder, entry.name, "main.ts"))) return [entry.name];
  return entry.name.endsWith(".ts") ? [entry.name.slice(0, -3)] : [];
});
const [name, ...args] = process.argv.slice(2);
if (!name || !names.includes(name)) {
  console.error(`${name ? `no bench "${name}"; ` : ""}there are: ${names.join(", ")}`);
  process.exit(name ? 2 : 0);
}
await ensure();
await ensure(folder);
const nested = join(folder, name, "main.ts");
const path = existsSync(nested) ? nested : join(folder, `${name}.ts`);
process.exitCode = spawnSync(node, [path, ...args], { cwd: root, stdio: "inherit" }).status ?? 1;
