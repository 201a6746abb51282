/** Is what docs/cron.md shows true? Its examples run, and its table of nights is computed. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as api from "../../../src/cron/mod.ts";

const docs = readFileSync(new URL("../../../docs/cron.md", import.meta.url), "utf8");

describe("docs/cron.md", () => {
  const examples = [...docs.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

  it.each(examples.map((code, index) => [index, code] as const))(
    "example %d gives what its comments say",
    (_, code) => {
      // `expression; // value` becomes a comparison; a value is JSON, or an instant.
      let comparisons = 0;
      const body = code
        .replace(/^import .*$/gm, "")
        .replace(/^(.+?); \/\/ (.+)$/gm, (_line, expression: string, value: string) => {
          comparisons++;
          return `same(${expression}, ${JSON.stringify(value)});`;
        });
      const same = (value: unknown, written: string): void => {
        expect(value instanceof Date ? value.toISOString() : JSON.stringify(value)).toBe(written);
      };
      new Function("same", "Cron", "resolveTimeZone", body)(same, api.Cron, api.resolveTimeZone);
      expect(comparisons).toBeGreaterThan(0);
    },
  );

  const [, dialects = ""] = /### Text of other schedulers\n([\s\S]*?)\n## /.exec(docs) ?? [];
  const refused = [...dialects.matchAll(/^\| `(.+)` \| (.+) \|$/gm)].map((row) => row.slice(1, 3));

  it("shows ten texts of other schedulers", () => expect(refused.length).toBe(10));

  it.each(refused)("%s is refused: %s", (expression, hint) => {
    expect(() => new api.Cron(expression!)).toThrow(hint);
  });

  const nights = [...docs.matchAll(/^\| `([^`]+)` \| ([A-Z]\w+\/\w+).*? \| (\S+:\d\d) \| (.+?) \| (.+?) \|$/gm)];

  it("shows ten nights", () => expect(nights.length).toBe(10));

  it.each(nights.map((night) => night.slice(1, 6)))("%s in %s after %s", (expression, timeZone, after, once, vixie) => {
    for (const [dst, cell] of [
      ["once", once],
      ["vixie", vixie],
    ] as const) {
      const wanted = cell!.split(", ");
      const got = new api.Cron(expression!, { timeZone, dst }).take(wanted.length, new Date(`${after}Z`));
      expect(got.map((at) => at.toISOString().slice(0, 16))).toEqual(wanted);
    }
  });
});
