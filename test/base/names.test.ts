/** Which texts may be names? */
import { expect, it } from "vitest";
import { checkName } from "../../src/base/names.ts";

it.each(["a", "send-mail", "orders/eu:1", "Größe", "日本", "two words", "x".repeat(256), "e\u0301"])(
  "checkName() takes %j",
  (name) => {
    expect(checkName(name, "task")).toBe(name);
  },
);

it.each<[unknown, RegExp]>([
  ["", /it is empty/],
  ["x".repeat(257), /it has 257 characters/],
  ["a\nb", /it has a control character/],
  ["a\u0000", /it has a control character/],
  ["\ud800", /it has half a surrogate pair/],
  [" a", /it begins or ends with a space/],
  ["a\u00a0", /it begins or ends with a space/],
  [null, /it is of type null/],
  [7, /it is of type number/],
])("checkName() refuses %j and says why", (name, problem) => {
  expect(() => checkName(name, "queue")).toThrow(
    expect.objectContaining({ code: "NAME_INVALID", message: expect.stringMatching(problem) }),
  );
});
