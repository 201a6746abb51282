/** Is `belfry/cron` as small as promised when it is bundled alone, and does it pull nothing else in? */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

it("belfry/cron is under 8.75 kB gzip, without any import", async () => {
  const entry = fileURLToPath(new URL("../../../src/cron/mod.ts", import.meta.url));
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    metafile: true,
  });
  const [file] = result.outputFiles;
  expect(gzipSync(file!.contents, { level: 9 }).length).toBeLessThan(8.75 * 1024);
  const outside = Object.keys(result.metafile.inputs).filter((path) => !/src\/(cron\/\w+|base\/error)\.ts$/.test(path));
  expect(outside).toEqual([]);
  expect(Object.values(result.metafile.outputs)[0]!.imports).toEqual([]);
});

it("belfry itself pulls in nothing of belfry/rrule", async () => {
  const entry = fileURLToPath(new URL("../../../mod.ts", import.meta.url));
  const { metafile } = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false, metafile: true });
  expect(Object.keys(metafile.inputs).filter((path) => path.includes("rrule"))).toEqual([]);
});
