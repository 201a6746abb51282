/** Reads the source for tests about it: files, their imports, their code without comments. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

/** The repository's root. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** The rooms in order: a file imports its own room and rooms further left, types included. */
export const FLOORS: readonly string[][] = [
  ["base"],
  ["cron", "storage"],
  ["rrule", "sql", "memory", "task"],
  ["engine"],
  ["job"],
  ["schedule", "execution"],
  ["tick", "worker"],
  ["belfry"],
  ["adapters", "cli", "testing"],
];

/** A source file. */
export interface SourceFile {
  /** Path from the root, with slashes: `src/cron/zone.ts`. */
  path: string;
  text: string;
  /** What it imports: paths from the root, or bare specifiers as they stand. */
  imports: string[];
  /** Its code without comments and types. */
  code: string;
}

/** All source files: mod.ts, src/ and adapters/. */
export function sourceFiles(): SourceFile[] {
  const paths = ["mod.ts"];
  for (const folder of ["src", "adapters"]) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith(".ts")) paths.push(relative(root, join(entry.parentPath, entry.name)));
    }
  }
  return paths.sort().map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const imports = [
      ...text.matchAll(/^(?:import|export)\b[^"';]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
    ]
      .map((match) => (match[1] ?? match[2] ?? match[3])!)
      .map((name) => (name.startsWith(".") ? relative(root, resolve(root, dirname(path), name)) : name));
    const code = transformSync(text, { loader: "ts", minifyWhitespace: true, legalComments: "none" }).code;
    return { path, text, imports, code };
  });
}

/** Reads a JSON file of the repository. */
export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), "utf8")) as T;
}
