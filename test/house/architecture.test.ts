/** Checks that docs/architecture.md describes the code of today: its rooms, files and names. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FLOORS, root } from "./source.ts";

const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
const contributing = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");

const paths = [...page.matchAll(/\b(?:src|adapters|test|docs|scripts|bench)\/[\w./]*\w\.ts\b/g)].map(
  (match) => match[0],
);
const folders = [...page.matchAll(/`((?:src|adapters|test)\/[\w/]*\/)`/g)].map((match) => match[1]!);
/** "`src/tick/lease.ts` (`Lease`, `learn`)": a file, and names that it contains. */
const named = [...page.matchAll(/`([\w./]+\.ts)`\s\(((?:`[#\w]+`(?:,\s+)?)+)\)/g)].flatMap(([, path, names]) =>
  [...names!.matchAll(/`([#\w]+)`/g)].map(([, name]) => [path!, name!] as const),
);

describe("docs/architecture.md", () => {
  it("names only files and folders that exist", () => {
    expect(paths.length).toBeGreaterThan(100);
    expect([...paths, ...folders].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("gives beside a file only names that the file contains", () => {
    expect(named.length).toBeGreaterThan(80);
    const missing = named.filter(([path, name]) => {
      const text = readFileSync(join(root, path), "utf8");
      return !new RegExp(name.startsWith("#") ? `${name}\\b` : `\\b${name}\\b`).test(text);
    });
    expect(missing).toEqual([]);
  });

  it("has a row for every room of src and for every file directly in it", () => {
    const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `\`src/${entry.name}/\`` : `\`src/${entry.name}\``,
    );
    expect(rooms.filter((room) => !page.includes(room))).toEqual([]);
  });

  it.each([
    ["docs/architecture.md", page],
    ["CONTRIBUTING.md", contributing],
  ])("%s gives the rooms in the order that the imports are held to", (_path, text) => {
    expect(text).toContain(`\`${FLOORS.map((rooms) => rooms.join(", ")).join(" < ")}\``);
  });

  it("has fewer than 250 lines", () => {
    expect(page.split("\n").length).toBeLessThanOrEqual(250);
  });
});
