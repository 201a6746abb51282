/** Are ids valid, unique and sorted by time? */
import { describe, expect, it } from "vitest";
import { createIds, systemIds } from "../../src/base/id.ts";

/** Ids from bytes that are all the same: what differs then is the time and the counter. */
const countingIds = () => createIds((bytes) => void bytes.fill(0xff), Math.random);

describe("id()", () => {
  it("is a UUID of version 7 that begins with the time (RFC 9562, 5.7)", () => {
    const now = Date.UTC(2026, 0, 5, 9);
    const id = countingIds().id(now);
    expect(id).toBe(`${time(now)}-7000-bfff-ffffffffffff`);
    expect(Number.parseInt(id.slice(0, 13).replace("-", ""), 16)).toBe(now);
    expect(systemIds.id(now)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("sorts in the order of making, within a millisecond and when the clock is set back", () => {
    const ids = countingIds();
    const made: string[] = [];
    for (let i = 0; i < 10_000; i++) made.push(ids.id(1_000));
    for (let i = 0; i < 100; i++) made.push(ids.id(500 + i));
    made.push(ids.id(2_000));
    expect(made).toEqual([...made].sort());
    expect(new Set(made).size).toBe(made.length);
  });
});

describe("token()", () => {
  it("is 24 hexadecimal digits, no two alike", () => {
    const tokens = Array.from({ length: 10_000 }, () => systemIds.token());
    expect(tokens.every((token) => /^[0-9a-f]{24}$/.test(token))).toBe(true);
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it("uses each random byte once, over refills of the pool", () => {
    let filled = 0;
    const ids = createIds((bytes) => void bytes.fill(++filled), Math.random);
    const seen = Array.from({ length: 700 }, () => ids.token().slice(0, 2));
    expect(filled).toBe(3);
    expect(seen.filter((byte) => byte === "01")).toHaveLength(341);
  });
});

/** The first 48 bits, as a UUID writes them. */
function time(ms: number): string {
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
