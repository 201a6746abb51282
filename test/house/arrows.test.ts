/** Holds the arrows of the house: which room may import which. */
import { describe, expect, it } from "vitest";
import { type SourceFile, sourceFiles } from "./source.ts";

const files = sourceFiles();
const inside =
  (...prefixes: string[]) =>
  (file: SourceFile) =>
    prefixes.some((prefix) => file.path.startsWith(prefix));

/** Lists the imports of some files that a rule does not allow, as `from -> to`. */
function strays(which: (file: SourceFile) => boolean, allowed: (to: string, file: SourceFile) => boolean): string[] {
  return files
    .filter(which)
    .flatMap((file) => file.imports.filter((to) => !allowed(to, file)).map((to) => `${file.path} -> ${to}`));
}

const isOurs = (to: string) => to.endsWith(".ts");

describe("the arrows of the house", () => {
  it("finds the house", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap((file) => file.imports).filter(isOurs).length).toBeGreaterThan(40);
  });

  it("cron imports only itself and error.ts", () => {
    expect(strays(inside("src/cron/"), (to) => to.startsWith("src/cron/") || to === "src/base/error.ts")).toEqual([]);
  });

  it("src imports no package and no adapter", () => {
    expect(strays(inside("src/", "mod.ts"), (to) => isOurs(to) && !to.startsWith("adapters/"))).toEqual([]);
  });

  it("the engine never imports sql/ and the sql core never imports the engine", () => {
    const engine = (file: SourceFile) =>
      file.path.startsWith("src/") && !file.path.startsWith("src/sql/") && !file.path.startsWith("src/testing/");
    expect(strays(engine, (to) => !to.startsWith("src/sql/") && !to.startsWith("src/testing/"))).toEqual([]);
    const below = ["src/sql/", "src/storage/port.ts", "src/base/error.ts", "src/base/clock.ts", "src/base/id.ts"];
    expect(strays(inside("src/sql/"), (to) => below.some((path) => to.startsWith(path)))).toEqual([]);
  });

  it("storage adapters import the port and the sql core, not the engine", () => {
    const storages = files.filter((file) =>
      /^adapters\/(memory|sqlite|libsql|d1|durable_object|postgres)\.ts$/.test(file.path),
    );
    const below = [
      "src/sql/",
      "src/memory/",
      "src/storage/port.ts",
      "src/base/error.ts",
      "src/base/clock.ts",
      "src/base/id.ts",
      "src/base/duration.ts",
      "node:",
    ];
    const found = storages.flatMap((file) =>
      file.imports.filter((to) => !below.some((path) => to.startsWith(path))).map((to) => `${file.path} -> ${to}`),
    );
    expect(found).toEqual([]);
  });

  it("each adapter imports only its own packages", () => {
    const own: Record<string, RegExp> = {
      "adapters/sqlite.ts": /^node:/,
      "adapters/hono/": /^(hono|hono\/.+|valibot)$/,
      "adapters/cloudflare.ts": /^(hono|cloudflare:workers)$/,
      "adapters/deno.ts": /^hono$/,
      "adapters/node.ts": /^(node:.+|hono|@hono\/node-server)$/,
    };
    const found = strays(inside("adapters/"), (to, file) => {
      const rule = Object.entries(own).find(([path]) => file.path.startsWith(path))?.[1];
      return isOurs(to) || (rule?.test(to) ?? false);
    });
    expect(found).toEqual([]);
  });

  it("has no cycles outside type imports", () => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const valueImports = (file: SourceFile) =>
      [...file.text.matchAll(/^(?:import|export) (?!type\b)([^"';]*?)from "(\.[^"]+)"/gm)]
        .filter((match) => !/^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(match[1]!.trim()))
        .map((match) => new URL(match[2]!, `file:///${file.path}`).pathname.slice(1));
    const cycles: string[] = [];
    const done = new Set<string>();
    const walk = (path: string, above: string[]): void => {
      if (above.includes(path)) cycles.push([...above.slice(above.indexOf(path)), path].join(" -> "));
      if (done.has(path) || above.includes(path)) return;
      const file = byPath.get(path);
      if (file) for (const to of valueImports(file)) walk(to, [...above, path]);
      done.add(path);
    };
    for (const file of files) walk(file.path, []);
    expect(cycles).toEqual([]);
  });
});
