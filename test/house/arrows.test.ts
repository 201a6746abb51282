/** Checks which folder ("room") of the source may import which: see docs/architecture.md. */
import { describe, expect, it } from "vitest";
import { FLOORS, type SourceFile, sourceFiles } from "./source.ts";

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

describe("imports of the source", () => {
  it("are found by this test", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap((file) => file.imports).filter(isOurs).length).toBeGreaterThan(40);
  });

  /** `src/tick/loop.ts` is in `tick`; the files directly in `src` are the room `belfry`. */
  const roomOf = (path: string) => (/^src\/(\w+)\//.exec(path) ?? /^(adapters|cli)\//.exec(path))?.[1] ?? "belfry";
  const floorOf = (path: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)));

  it("go only to the own room or to rooms further left", () => {
    expect(files.filter((file) => floorOf(file.path) < 0).map((file) => file.path)).toEqual([]);
    const inside = (to: string, file: SourceFile) =>
      !isOurs(to) || roomOf(to) === roomOf(file.path) || floorOf(to) < floorOf(file.path);
    expect(strays(() => true, inside)).toEqual([]);
  });

  it("form no cycle, type imports included", () => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const circles: string[] = [];
    const done = new Set<string>();
    const walk = (path: string, above: string[]): void => {
      if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(" -> "));
      if (done.has(path) || above.includes(path)) return;
      for (const to of byPath.get(path)?.imports ?? []) walk(to, [...above, path]);
      done.add(path);
    };
    for (const file of files) walk(file.path, []);
    expect(circles).toEqual([]);
  });

  it("of src name no package", () => {
    expect(strays(inside("src/", "mod.ts"), isOurs)).toEqual([]);
  });

  it("of storage adapters go to the port and the SQL core, not to the engine", () => {
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
      "src/base/options.ts",
      "node:",
    ];
    const found = storages.flatMap((file) =>
      file.imports.filter((to) => !below.some((path) => to.startsWith(path))).map((to) => `${file.path} -> ${to}`),
    );
    expect(found).toEqual([]);
  });

  it("of an adapter name only its own packages", () => {
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
});
