/**
 * How does a server that refuses to run as root reach its files? It runs under another user id, from folders which that
 * user may enter.
 *
 * A clone below `/root` or below a folder made by `mktemp -d` is closed to every other user, and so are the binaries in
 * its `node_modules`. They are then copied to the temporary folder, once per content: the copy's name carries the SHA-256
 * of all files, a copy is written aside and renamed into place (two test runs may start at once), and a copy that is
 * there already is used only if it belongs to this user, nobody else may write to it, and its content is still whole.
 */
import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A user id that owns nothing else: servers run under it where the tests run as root. */
export const UNPRIVILEGED: number = 65_534;

/** What to pass to `spawn` for a server that refuses to run as root; nothing where the tests do not run as root. */
export const asUnprivileged: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};

const isRoot = asUnprivileged.uid !== undefined;

/** Whether the server's user may enter a folder. */
function canEnter(folder: string): boolean {
  return spawnSync("/bin/sh", ["-c", 'cd "$1"', "sh", folder], { ...asUnprivileged, cwd: "/" }).status === 0;
}

let enterable: string | undefined;

/** The temporary folder that the server's user may enter. @throws when there is none */
function temporaryFolder(): string {
  if (!isRoot) return tmpdir();
  const candidates = [tmpdir(), "/tmp", "/var/tmp"];
  enterable ??= candidates.find(canEnter);
  if (enterable) return enterable;
  throw new Error(
    `Cannot start a server as user ${UNPRIVILEGED}: that user may enter none of ${candidates.join(", ")}; set TMPDIR to a folder with mode 1777`,
  );
}

/** Makes an empty folder that belongs to the server's user. @param prefix start of its name: `"belfry-pg-"` */
export function makeServerFolder(prefix: string): string {
  const folder = mkdtempSync(join(temporaryFolder(), prefix));
  chmodSync(folder, 0o700);
  if (isRoot) chownSync(folder, UNPRIVILEGED, UNPRIVILEGED);
  return folder;
}

/** Hashes all files and links below a folder, with their names and whether they may be run. */
function hashTree(folder: string): string {
  const hash = createHash("sha256");
  const walk = (path: string): void => {
    for (const name of readdirSync(join(folder, path)).sort()) {
      const inside = join(path, name);
      const full = join(folder, inside);
      const stat = lstatSync(full);
      if (stat.isDirectory()) {
        walk(inside);
        continue;
      }
      const content = stat.isSymbolicLink() ? readlinkSync(full) : readFileSync(full);
      hash.update(
        `${inside}\0${stat.isSymbolicLink() ? "link" : stat.mode & 0o111 ? "run" : "read"}\0${content.length}\0`,
      );
      hash.update(content);
    }
  };
  walk("");
  return hash.digest("hex");
}

/** Whether a copy is ours alone and whole. */
function isSound(copy: string, sha256: string): boolean {
  try {
    const { uid, mode } = lstatSync(copy);
    return (
      lstatSync(copy).isDirectory() && uid === process.getuid?.() && (mode & 0o022) === 0 && hashTree(copy) === sha256
    );
  } catch {
    return false;
  }
}

/** Gives every file below a folder the modes that another user needs to read and run it. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, lstatSync(path).mode & 0o111 ? 0o755 : 0o644);
  }
}

/**
 * Copies a folder to where every user may read it.
 *
 * @param source the folder; links in it must be relative and stay inside
 * @param name start of the copy's name: `"belfry-postgres"`
 * @returns the copy: the same path for the same content, made only if it is not there yet
 */
export function copyForAll(source: string, name: string, parent: string = temporaryFolder()): string {
  const sha256 = hashTree(source);
  const copy = join(parent, `${name}-${sha256.slice(0, 16)}`);
  if (isSound(copy, sha256)) return copy;
  const aside = `${copy}.${randomUUID()}`;
  mkdirSync(aside, { mode: 0o700 });
  cpSync(source, aside, { recursive: true, verbatimSymlinks: true });
  openToAll(aside);
  for (let tries = 0; tries < 10; tries++) {
    try {
      renameSync(aside, copy);
      return copy;
    } catch (error) {
      // Another run was quicker, or what is there is damaged (cleaners of temporary folders delete single files).
      if (isSound(copy, sha256)) {
        rmSync(aside, { recursive: true, force: true });
        return copy;
      }
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOTDIR") throw error;
      const damaged = `${copy}.${randomUUID()}`;
      try {
        renameSync(copy, damaged);
        rmSync(damaged, { recursive: true, force: true });
      } catch (gone) {
        if ((gone as NodeJS.ErrnoException).code !== "ENOENT") throw gone;
      }
    }
  }
  throw new Error(`Cannot replace the damaged copy ${copy}: something makes it again; delete it`);
}

const runnable = new Map<string, string>();

/**
 * Finds a folder of binaries that the server's user may run: the one given, or a readable copy of it.
 *
 * @param source folder with `bin` and what its programs load
 * @param program a program in `source/bin` that knows `--version`
 */
export function runnableByServer(source: string, program: string, name: string): string {
  const known = runnable.get(source);
  if (known) return known;
  const runs = (folder: string) => {
    const { status, error, stderr } = spawnSync(join(folder, "bin", program), ["--version"], {
      ...asUnprivileged,
      cwd: "/",
      encoding: "utf8",
    });
    return status === 0 ? null : String(error ?? stderr);
  };
  let folder = source;
  if (isRoot && runs(source) !== null) {
    folder = copyForAll(source, name);
    const failed = runs(folder);
    if (failed !== null) throw new Error(`User ${UNPRIVILEGED} cannot run ${folder}/bin/${program}: ${failed}`);
  }
  runnable.set(source, folder);
  return folder;
}
