// Installs what is missing, once: compares a stamp in node_modules with the lock file and runs `npm ci` when they
// differ. Plain JavaScript for the Node a machine happens to have; two callers at once wait for each other.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
/** The Node that the repository's scripts run on, whatever the machine has. */
export const node = join(root, "node_modules/.bin/node");

const STALE_LOCK_MS = 10 * 60_000;

/**
 * Installs a folder's dependencies when its stamp does not fit its lock file.
 *
 * @param {string} folder the folder that holds package.json and package-lock.json
 */
export async function ensure(folder = root) {
  const modules = join(folder, "node_modules");
  const stamp = join(modules, ".belfry-stamp");
  const lockFile = readFileSync(join(folder, "package-lock.json"));
  const wanted = createHash("sha256").update(lockFile).update(`${process.platform}-${process.arch}`).digest("hex");
  const installed = () => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  if (installed()) return;

  const lock = join(folder, ".belfry-install");
  while (!tryLock(lock)) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (installed()) return;
  }
  try {
    if (installed()) return;
    console.log(`installing what is missing in ${folder === root ? "the project" : folder} (once) ...`);
    const started = Date.now();
    // npm is found the way this script was started: through npm itself, or else on the PATH.
    const cli = process.env.npm_execpath;
    const [command, args] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
    const { status } = spawnSync(command, [...args, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      stdio: ["ignore", "inherit", "inherit"],
      // npm hands its own settings to scripts; a folder inside must not take the workspace's.
      env: Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_(package|lifecycle)_/.test(key))),
      shell: process.platform === "win32",
    });
    if (status !== 0) throw new Error(`\`npm ci\` failed in ${folder} (exit code ${status}); see above`);
    writeFileSync(stamp, wanted);
    console.log(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** @param {string} lock */
function tryLock(lock) {
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    try {
      if (Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS) rmSync(lock, { recursive: true, force: true });
    } catch {
      // Gone meanwhile: the next try takes it.
    }
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensure();
  for (const folder of process.argv.slice(2)) await ensure(join(root, folder));
}
