/**
 * What users can copy, works: every ```ts block of the docs and of docstrings is type-checked, and run where it is whole.
 *
 * A block is whole when it imports something; it is then run as a program. Others are pieces of the text around them and
 * only shown. A whole block that cannot run here (it needs a server, a platform, a file of the user's) is written as
 * ```ts ignore; one that is whole but must not be run (it would serve for ever) as ```ts no-run: its types are checked.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJson, root, sourceFiles } from "../house/source.ts";

interface Example {
  /** `docs/cron.md:12`. */
  place: string;
  code: string;
  runs: boolean;
}

const folder = join(root, ".belfry/examples");
const runner = join(root, "test/docs/run_examples.ts");
const names = readJson<{ exports: Record<string, string> }>("deno.json").exports;

/** Finds the blocks of a text. */
function blocks(path: string, text: string): Example[] {
  const found: Example[] = [];
  const pattern = /^([ \t]*(?:\* ?)?)```ts( no-run)?\n([\s\S]*?)^[ \t]*(?:\* ?)?```$/gm;
  for (const match of text.matchAll(pattern)) {
    const code = match[3]!.replace(new RegExp(`^${match[1]!.trimEnd().replace(/[*]/g, "\\*")} ?`, "gm"), "");
    if (!/^import /m.test(code)) continue;
    const line = text.slice(0, match.index).split("\n").length;
    found.push({ place: `${path}:${line}`, code, runs: match[2] === undefined });
  }
  return found;
}

const markdown = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith(".md"),
);
const examples = [
  ...markdown.flatMap((path) => blocks(path, readFileSync(join(root, path), "utf8"))),
  ...sourceFiles().flatMap(({ path, text }) => blocks(path, text)),
].map((example, i) => ({ ...example, file: join(folder, `example_${i}.ts`) }));

/** Names of the package, and paths beside a docstring, as paths from the examples' folder. */
function resolved({ code, place, file }: (typeof examples)[number]): string {
  const from = dirname(join(root, place.split(":")[0]!));
  return code.replace(/(from |import\()"([^"]+)"/g, (whole, before: string, name: string) => {
    const target = /^belfry(\/|$)/.test(name) ? names[name.replace(/^belfry/, ".")] : undefined;
    const path = target ? join(root, target) : name.startsWith(".") ? join(from, name) : undefined;
    return path ? `${before}"${relative(dirname(file), path)}"` : whole;
  });
}

describe("examples in docs and docstrings", () => {
  beforeAll(() => {
    mkdirSync(folder, { recursive: true });
    // `export {}` makes each a module of its own.
    for (const example of examples) writeFileSync(example.file, `${resolved(example)}\nexport {};\n`);
    const config = {
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"],
      exclude: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are found", () => {
    expect(examples.length).toBeGreaterThan(10);
  });

  it("have right types", () => {
    const { stdout } = spawnSync(process.execPath, [join(root, "node_modules/.bin/tsc"), "-p", folder], {
      cwd: root,
      encoding: "utf8",
    });
    const named = stdout.replace(/\S*example_(\d+)\.ts/g, (_, i: string) => examples[Number(i)]!.place);
    expect(named).toBe("");
  });

  const running = examples.filter((example) => example.runs);
  const run = (args: string[], timeout: number) =>
    spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout });
  /** Whether all ran in one process; where one of them fails, each is run by itself. */
  let allRan: boolean | undefined;

  it.each(running.map((example) => [example.place, example] as const))("%s runs", (_place, example) => {
    allRan ??= run([runner, ...running.map(({ file }) => file)], 120_000).status === 0;
    if (allRan) return;
    const { status, signal, stdout, stderr } = run([example.file], 60_000);
    expect({ status, signal }, `${stdout}${stderr}`).toEqual({ status: 0, signal: null });
  });
});
