/** sha256(), against published vectors and the runtime's own. */
import { expect, test } from "vitest";
import { sha256 } from "../../src/base/sha256.ts";

test("sha256() is SHA-256: NIST vectors and long texts", async () => {
  const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect(hex(sha256("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
    const text = "ü".repeat(length);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    expect(hex(sha256(text))).toBe(hex(expected));
  }
});
