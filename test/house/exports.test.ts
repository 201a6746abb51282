/** Checks that the two export lists are equal: npm's in package.json, JSR's in deno.json. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readJson, root } from "./source.ts";

interface Package {
  name: string;
  version: string;
  exports: Record<string, { types: string; default: string }>;
  dependencies?: Record<string, string>;
}
interface Deno {
  name: string;
  version: string;
  exports: Record<string, string>;
}

const npm = readJson<Package>("package.json");
const jsr = readJson<Deno>("deno.json");

describe("package.json and deno.json", () => {
  it("export the same names from the same files", () => {
    const built = Object.fromEntries(
      Object.entries(jsr.exports).map(([name, path]) => {
        const stem = path.replace(/^\.\//, "./dist/").replace(/\.ts$/, "");
        return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }];
      }),
    );
    expect({ ...npm.exports }).toEqual({ ...built, "./package.json": "./package.json" });
  });

  it("name the package and its version alike", () => {
    expect(npm.name).toBe("belfry");
    expect(jsr.name).toBe("@belfry/belfry");
    expect(jsr.version).toBe(npm.version);
  });

  it("export files that exist", () => {
    expect(Object.values(jsr.exports).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("have no runtime dependency", () => {
    expect(npm.dependencies ?? {}).toEqual({});
  });
});
