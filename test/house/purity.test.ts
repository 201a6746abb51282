/** Checks rules for every source file: a header, and no clock, timer or randomness outside the files that may use them. */
import { describe, expect, it } from "vitest";
import { sourceFiles } from "./source.ts";

const files = sourceFiles();

/** Globals that only few files may use. */
const rules: [what: string, pattern: RegExp, allowed: RegExp][] = [
  ["the wall clock", /\bDate\.now\b|\bTemporal\.Now\b/, /^src\/base\/clock\.ts$/],
  ["today", /\bnew Date(\(\)|(?!\w|\())/, /^src\/(base\/clock|cron\/calendar)\.ts$/],
  ["elapsed time", /\bperformance\.now\b/, /^src\/base\/clock\.ts$/],
  ["timers", /(?<![.\w])(setTimeout|setInterval|setImmediate)\(/, /^src\/base\/clock\.ts$/],
  ["randomness", /\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/, /^src\/base\/(id|codec_aes)\.ts$/],
  ["Temporal", /\bglobalThis\.Temporal\b/, /^src\/cron\/zone\.ts$/],
];

describe("every source file", () => {
  for (const [what, pattern, allowed] of rules) {
    it(`does not use ${what}, except where that is allowed`, () => {
      const strays = files
        .filter((file) => pattern.test(file.code) && !allowed.test(file.path))
        .map((file) => file.path);
      expect(strays).toEqual([]);
      // The pattern still finds what it looks for: a renamed call would make this test say nothing.
      expect(
        files.some((file) => allowed.test(file.path)),
        `${allowed} matches no file`,
      ).toBe(true);
    });
  }

  it("starts with a header", () => {
    const bare = files.filter((file) => {
      const header = /^\/\*\*[\s\S]*?\*\/|^(\/\/.*\n)+/.exec(file.text)?.[0] ?? "";
      return header.replace(/[/*\s]/g, "").length < 30;
    });
    expect(bare.map((file) => file.path)).toEqual([]);
  });

  it("does not bypass the type checker", () => {
    const pattern = /\bas any\b|: any\b|<any>|@ts-(ignore|expect-error|nocheck)/;
    const isProse = (line: string) => /^\s*(\*|\/\*\*)/.test(line);
    const strays = files.flatMap((file) =>
      file.text
        .split("\n")
        .flatMap((line, i) =>
          pattern.test(line.replace(/"[^"]*"/g, '""')) && !isProse(line)
            ? [`${file.path}:${i + 1} ${line.trim()}`]
            : [],
        ),
    );
    expect(strays).toEqual([]);
  });

  it("is named in snake_case and has no default export, enum or parameter property", () => {
    expect(files.filter((file) => !/^[a-z0-9_/]+\.ts$/.test(file.path)).map((file) => file.path)).toEqual([]);
    const strays = files.filter((file) =>
      /^export default|^(export )?(const )?enum |constructor\((?:[^)]*,)?\s*(public|private|protected|readonly)\s+\w+[?:]/m.test(
        file.text,
      ),
    );
    expect(strays.map((file) => file.path)).toEqual([]);
  });
});
