/** Who gets in: tokens, scopes, verifiers, signed ticks; and that an app without protection does not start. */
import { sign, verify } from "hono/jwt";
import { describe, expect, it } from "vitest";
import { type Auth, createApp, type Scope, signTick } from "../../../adapters/hono/mod.ts";
import { memory } from "../../../adapters/memory.ts";
import { Belfry } from "../../../src/belfry.ts";
import { type Answer, bench, MINUTE, problemIn, START, TOKENS } from "./kit.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const READ = "/schedules";

describe("createApp()", () => {
  const belfry = new Belfry({ storage: memory() });
  const auths: [what: string, auth: unknown, says: RegExp][] = [
    ["no auth", undefined, /nothing protects it[\s\S]*auth: \{ tokens:[\s\S]*auth: "none"/],
    ["an empty auth", {}, /nothing protects it/],
    ["an empty list of tokens", { tokens: [] }, /nothing protects it/],
    [
      "a token whose variable is not set",
      { tokens: [{ token: undefined, scopes: ["tick"] }] },
      /tokens\[0\] is missing: is the variable/,
    ],
    ["an empty token", { tokens: [{ token: "", scopes: ["tick"] }] }, /tokens\[0\] is missing/],
    ["a short token", { tokens: [{ token: "secret", scopes: ["tick"] }] }, /too short to be a secret: 16/],
    [
      "a token that no header can carry",
      { tokens: [{ token: "a token with spaces", scopes: ["tick"] }] },
      /cannot travel/,
    ],
    ["a token without scopes", { tokens: [{ token: TOKENS.tick, scopes: [] }] }, /has no scopes/],
    ["an unknown scope", { tokens: [{ token: TOKENS.tick, scopes: ["root"] }] }, /scope "root", which does not exist/],
    ["a hash that is none", { tokens: [{ sha256: "abc", scopes: ["tick"] }] }, /sha256 that is not 64 hex digits/],
    [
      "an expiry that is none",
      { tokens: [{ token: TOKENS.tick, scopes: ["tick"], expiresAt: Number.NaN }] },
      /not epoch ms/,
    ],
    ["a short signing secret", { signing: { secrets: ["short"] } }, /secrets must be a list of texts of at least 32/],
    ["a signing secret that is not set", { signing: { secrets: [undefined] } }, /is their variable set/],
    ["a tolerance beyond reason", { signing: { secrets: [SECRET], tolerance: "2d" } }, /tolerance/],
  ];
  for (const [what, auth, says] of auths) {
    it(`refuses to start with ${what}, and says how`, () => {
      expect(() => createApp(belfry, { auth: auth as Auth })).toThrow(says);
    });
  }
  it("refuses to start without any options", () => {
    expect(() => (createApp as (belfry: Belfry) => unknown)(belfry)).toThrow(/nothing protects it/);
  });
  it('opens everything where auth: "none" is written out', async () => {
    const { call } = bench({ app: { auth: "none" } });
    expect((await call("POST", "/tick", { as: null })).status).toBe(200);
    expect((await call("PUT", "/schedules/s", { as: null, json: { expression: "@daily", task: "t" } })).status).toBe(
      200,
    );
    expect((await call("GET", "/health", { as: null })).body).toHaveProperty("schedules");
  });
});

describe("a token", () => {
  it("may be configured as its SHA-256", async () => {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(TOKENS.read)));
    const sha256 = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const { call } = bench({ app: { auth: { tokens: [{ sha256: sha256.toUpperCase(), scopes: ["read"] }] } } });
    expect((await call("GET", READ, { as: "read" })).status).toBe(200);
    expect((await call("GET", READ, { token: sha256 })).status).toBe(401);
  });

  it("is refused from the instant at which it expires", async () => {
    const auth: Auth = { tokens: [{ token: TOKENS.read, scopes: ["read"], expiresAt: START + MINUTE }] };
    const { call, clock } = bench({ app: { auth } });
    expect((await call("GET", READ, { as: "read" })).status).toBe(200);
    clock.jump(MINUTE);
    const late = await call("GET", READ, { as: "read" });
    expect(problemIn(late).code).toBe("UNAUTHORIZED");
    expect(late.headers.get("WWW-Authenticate")).toBe('Bearer realm="belfry", error="invalid_token"');
  });

  const wrong: [what: string, header: string | undefined][] = [
    ["no header", undefined],
    ["another scheme", `Basic ${TOKENS.admin}`],
    ["no token", "Bearer"],
    ["an empty token", "Bearer  "],
    ["another token", "Bearer admin-token-012345679"],
    ["a part of a token", `Bearer ${TOKENS.admin.slice(0, -1)}`],
    ["a longer token", `Bearer ${TOKENS.admin}0`],
    ["two tokens", `Bearer ${TOKENS.admin} ${TOKENS.read}`],
    ["a token in other letters", `Bearer ${TOKENS.admin.toUpperCase()}`],
    ["a token of 10,000 characters", `Bearer ${"a".repeat(10_000)}`],
  ];
  for (const [what, header] of wrong) {
    it(`is refused with ${what}`, async () => {
      const { call } = bench();
      const answer = await call("GET", READ, {
        as: null,
        headers: header === undefined ? {} : { Authorization: header },
      });
      expect(problemIn(answer)).toMatchObject({ status: 401, code: "UNAUTHORIZED" });
      expect(answer.headers.get("WWW-Authenticate")).toContain('Bearer realm="belfry"');
    });
  }

  it("is accepted with the scheme in any case: bearer, BEARER", async () => {
    const { call } = bench();
    const headers = { Authorization: `bearer ${TOKENS.read}` };
    expect((await call("GET", READ, { as: null, headers })).status).toBe(200);
  });

  it("without the scope of a route gets 403, which names the scope", async () => {
    const { call } = bench();
    const answer = await call("GET", READ, { as: "tick" });
    expect(problemIn(answer)).toMatchObject({ status: 403, code: "FORBIDDEN", detail: /scope read/ });
    expect(answer.headers.get("WWW-Authenticate")).toContain('error="insufficient_scope", scope="read"');
  });

  it("is compared with all bytes of all configured tokens", async () => {
    const { sameBytes } = await import("../../../adapters/hono/digest.ts");
    // Counts how many bytes are read: the same number wherever the first difference lies.
    const reads = (at: number): number => {
      let count = 0;
      const bytes = new Uint8Array(32);
      const watched = new Proxy(bytes, {
        get: (target, key) => {
          if (typeof key === "string" && /^\d+$/.test(key)) count++;
          const value: unknown = Reflect.get(target, key);
          return value;
        },
      });
      const other = new Uint8Array(32);
      if (at >= 0) other[at] = 1;
      expect(sameBytes(watched, other)).toBe(at < 0);
      return count;
    };
    expect([reads(-1), reads(0), reads(15), reads(31)]).toEqual([32, 32, 32, 32]);
  });
});

describe("a verifier", () => {
  it("admits JWTs by their scopes and expiry", async () => {
    const auth: Auth = {
      async verify(token) {
        const claims = await verify(token, SECRET, "HS256");
        return { scopes: claims["scopes"] as Scope[] };
      },
    };
    const { call } = bench({ app: { auth } });
    const soon = Math.floor(Date.now() / 1000) + 3_600;
    const token = await sign({ scopes: ["read"], exp: soon }, SECRET);
    expect((await call("GET", READ, { token })).status).toBe(200);
    expect((await call("POST", "/tick", { token })).status).toBe(403);
    const expired = await sign({ scopes: ["read"], exp: soon - 7_200 }, SECRET);
    expect((await call("GET", READ, { token: expired })).status).toBe(401);
    const forged = await sign({ scopes: ["admin"], exp: soon }, "another secret of thirty-two chars");
    expect((await call("GET", READ, { token: forged })).status).toBe(401);
  });

  it("cannot grant unknown scopes, and its exception refuses the token", async () => {
    const grants: Record<string, unknown> = { odd: { scopes: ["root"] }, none: null };
    const auth: Auth = {
      verify: (token) => {
        if (token === "throws") throw new Error("down");
        return grants[token] as null;
      },
    };
    const { call } = bench({ app: { auth } });
    expect((await call("GET", READ, { token: "odd" })).status).toBe(403);
    for (const token of ["none", "unknown", "throws"]) expect((await call("GET", READ, { token })).status).toBe(401);
  });
});

describe("a signed tick", () => {
  let used = 0;
  /** Signatures are remembered by the process, so each test has its own secret. */
  const start = () => {
    const secret = `${SECRET}-${++used}`;
    const { call, clock, belfry } = bench({
      app: { auth: { signing: { secrets: ["z".repeat(32), secret], tolerance: "5m" } } },
    });
    const ring = async ({
      path = "/tick",
      method = "POST",
      at = clock.now(),
      by = secret,
      signed = path,
    }: {
      path?: string;
      method?: string;
      at?: number;
      by?: string;
      signed?: string;
    } = {}): Promise<Answer> => {
      const header = await signTick(by, { method, url: `http://belfry.test${signed}`, now: at });
      return call(method, path, { as: null, headers: { "Belfry-Signature": header } });
    };
    return { call, clock, belfry, ring, secret };
  };

  it("is accepted once, by POST and GET, with its query", async () => {
    const { ring, clock } = start();
    expect((await ring()).status).toBe(200);
    expect(problemIn(await ring())).toMatchObject({ status: 401, code: "SIGNATURE_REPLAYED" });
    expect((await ring({ method: "GET", path: "/tick?work=false" })).status).toBe(200);
    clock.jump(1_000);
    expect((await ring()).status).toBe(200);
  });

  it("is refused when it is old, from the future, of another secret, path, query or method", async () => {
    const { ring, clock, call, secret } = start();
    const now = clock.now();
    expect((await ring({ at: now - 5 * MINUTE + 1_000 })).status).toBe(200);
    expect(problemIn(await ring({ at: now - 6 * MINUTE })).detail).toMatch(/signed 360 s ago/);
    expect(problemIn(await ring({ at: now + 6 * MINUTE })).detail).toMatch(/is the caller's clock right/);
    expect(problemIn(await ring({ by: "y".repeat(32) })).detail).toMatch(/fits none of the secrets/);
    expect((await ring({ path: "/tick?for=5m", signed: "/tick" })).status).toBe(401);
    const post = await signTick(secret, { method: "POST", url: "http://belfry.test/tick", now });
    expect((await call("GET", "/tick", { as: null, headers: { "Belfry-Signature": post } })).status).toBe(401);
    for (const header of ["", "t=1", "t=1,v1=zz", `t=${"9".repeat(40)},v1=${"0".repeat(64)}`, "v1=,t="]) {
      const answer = await call("POST", "/tick", { as: null, headers: { "Belfry-Signature": header } });
      expect(problemIn(answer).status).toBe(401);
    }
  });

  it("allows no other route than /tick", async () => {
    const { ring } = start();
    expect((await ring({ method: "GET", path: READ })).status).toBe(401);
    expect((await ring({ path: "/jobs" })).status).toBe(401);
  });

  it("is refused the second time by a replay memory that processes share", async () => {
    const seen = new Map<string, number>();
    const replay = (signature: string, untilMs: number): boolean => {
      if (seen.has(signature)) return false;
      seen.set(signature, untilMs);
      return true;
    };
    const { call, clock } = bench({ app: { auth: { signing: { secrets: [SECRET], replay } } } });
    const header = await signTick(SECRET, { method: "POST", url: "http://belfry.test/tick", now: clock.now() });
    const statuses = [];
    for (let i = 0; i < 2; i++)
      statuses.push((await call("POST", "/tick", { as: null, headers: { "Belfry-Signature": header } })).status);
    expect(statuses).toEqual([200, 401]);
    expect([...seen.values()]).toEqual([Math.floor(START / 1000) * 1000 + 5 * MINUTE]);
  });
});
