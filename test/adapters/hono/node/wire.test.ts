/** The types of the HTTP interface are generated from its schemas: the files are what the generator makes now. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { generate } from "../../../../scripts/wire.ts";
import { root } from "../../../house/source.ts";

/** Layout is the formatter's: it wraps lists and begins long unions with a bar. */
const withoutLayout = (text: string): string => text.replaceAll(/[\s|,]+/g, " ").trim();

describe("adapters/hono/wire/types", async () => {
  for (const [name, text] of await generate()) {
    it(`${name} is what \`npm run wire\` makes of its schemas`, () => {
      const stored = readFileSync(join(root, "adapters/hono/wire/types", name), "utf8");
      expect(withoutLayout(stored) === withoutLayout(text), "run `npm run wire`").toBe(true);
    });
  }
});
