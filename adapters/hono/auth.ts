/**
 * Authentication: who is the caller? Bearer tokens with scopes.
 *
 * Tokens are configured plain or as SHA-256, and compared as digests: the presented token is hashed once, and all bytes of
 * its digest are compared with all configured ones, so the time taken says nothing about how near a guess was. If no
 * configured token fits, a verifier of the user's own (a JWT, a session table) is asked. `createApp` throws where no tokens
 * are configured, unless `auth: "none"` is written out.
 */
import { BelfryError } from "../../src/base/error.ts";
import { anything, type Checks, callback, checkOptions, listOf } from "../../src/base/options.ts";
import { Access, type Reach, SCOPES, type Scope } from "./access.ts";
import { bytesOfHex, digest, sameBytes } from "./digest.ts";
import { Refusal } from "./problem.ts";
import { readSigning, type SigningOptions, type SigningRule } from "./signature.ts";

/** What a token allows, and what it is narrowed to. */
export interface Grant extends Reach {
  /** What it allows. */
  scopes: readonly Scope[];
}

/** A configured token: plain, or as its SHA-256 (then the configuration has no secret in it). */
export type TokenRule = Grant & {
  /** When it expires, epoch ms. @default never */
  expiresAt?: number;
} & ({ token: string | undefined; sha256?: never } | { sha256: string | undefined; token?: never });

/** Checks a token that is not among the configured ones; null, an exception and a rejection refuse it. */
export type Verifier = (token: string, request: Request) => Grant | null | Promise<Grant | null>;

/** How callers prove who they are. */
export interface AuthOptions {
  tokens?: readonly TokenRule[];
  /** Asked when no configured token fits: for JWTs, sessions, an introspection endpoint. */
  verify?: Verifier;
  /** Lets `/tick` be called with an HMAC signature instead of a token. */
  signing?: SigningOptions;
}

/** Who may do what; `"none"` lets everybody do everything. */
export type Auth = AuthOptions | "none";

const AUTH_CHECKS: Checks<AuthOptions> = {
  // `readToken` and `readSigning` check these two.
  tokens: listOf(anything),
  signing: anything,
  verify: callback,
};
/** Which keys there are; `readToken` checks their values, and says what the likely mistake is. */
const TOKEN_CHECKS: Checks<TokenRule> = {
  scopes: anything,
  queues: anything,
  tasks: anything,
  schedules: anything,
  expiresAt: anything,
  token: anything,
  sha256: anything,
};

const HOW = `give createApp tokens:

  createApp(belfry, { auth: { tokens: [{ token: env.BELFRY_TOKEN, scopes: ["tick", "read"] }] } })

scopes are "tick", "enqueue", "work", "read" and "admin"; queues, tasks and schedules narrow a token; \`openssl rand -hex 32\` makes a token; { sha256: "..." } takes its hash.
To open the app to everybody (behind a gateway of your own), write auth: "none"`;

/** Shorter ones can be guessed: 128 bits written in hex have 32 characters, in base64url 22. */
const MIN_TOKEN_LENGTH = 16;
const MAX_TOKEN_LENGTH = 4_096;

interface Entry {
  digest: Promise<Uint8Array>;
  access: Access;
  expiresAt: number;
}

/** Authenticates requests. */
export class Gate {
  readonly open: boolean;
  readonly #entries: Entry[];
  readonly #verify: Verifier | undefined;
  /** How ticks may be signed; undefined: they may not be. */
  readonly signing: SigningRule | undefined;

  /** @throws BelfryError `OPTION_INVALID` where no authentication is configured, or a token is unusable */
  constructor(auth: Auth | undefined) {
    this.open = auth === "none";
    if (auth !== "none" && auth !== undefined) checkOptions(auth, "createApp's auth", AUTH_CHECKS);
    const { tokens = [], verify, signing } = auth === "none" || auth === undefined ? {} : auth;
    if (!this.open && tokens.length === 0 && verify === undefined && signing === undefined) {
      throw new BelfryError("OPTION_INVALID", `Cannot make the app: nothing protects it; ${HOW}`);
    }
    this.#entries = tokens.map(readToken);
    this.#verify = verify;
    this.signing = signing === undefined ? undefined : readSigning(signing);
  }

  /**
   * Admits a request whose token has one of the scopes.
   *
   * @returns what it may do
   * @throws Refusal `UNAUTHORIZED` no token, or an unknown one; `FORBIDDEN` the token has no such scope
   */
  async check(request: Request, needed: readonly Scope[], now: number): Promise<Access> {
    const access = await this.accessOf(request, now);
    if (access === null) throw unauthorized(request.headers.has("Authorization"));
    if (!access.allows(needed)) {
      throw new Refusal("FORBIDDEN", `Cannot do this with this token: it needs the scope ${needed.join(" or ")}.`, {
        headers: { "WWW-Authenticate": `Bearer realm="belfry", error="insufficient_scope", scope="${needed[0]}"` },
      });
    }
    return access;
  }

  /** Finds what the request's token allows; null where it has none, or an unknown one. */
  async accessOf(request: Request, now: number): Promise<Access | null> {
    if (this.open) return new Access(SCOPES);
    const token = /^Bearer +([\w\-.~+/]+=*)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
    if (token === undefined || token.length > MAX_TOKEN_LENGTH) return null;
    const presented = await digest(token);
    let found: Entry | undefined;
    // All entries are compared, also after one has matched.
    for (const entry of this.#entries) {
      const same = sameBytes(await entry.digest, presented);
      if (same && entry.expiresAt > now) found ??= entry;
    }
    if (found) return found.access;
    const grant = await this.#ask(token, request);
    // What a verifier of the user's own gives may have any form; a narrowing that cannot be read opens nothing.
    if (grant === null || !Array.isArray(grant.scopes) || reachFault(grant) !== undefined) return null;
    const scopes = (grant.scopes as readonly Scope[]).filter((scope) => SCOPES.includes(scope));
    return new Access(scopes, reachOf(grant));
  }

  async #ask(token: string, request: Request): Promise<Grant | null> {
    if (!this.#verify) return null;
    try {
      return (await this.#verify(token, request)) ?? null;
    } catch {
      // Verifiers of JWTs throw for tokens that they do not accept.
      return null;
    }
  }
}

/** Makes the refusal of a request without a token, or with an unknown one. */
function unauthorized(presented: boolean): Refusal {
  const error = presented ? ', error="invalid_token"' : "";
  return new Refusal(
    "UNAUTHORIZED",
    presented
      ? "Cannot do this: the token is unknown here, or has expired."
      : "Cannot do this without a token; send Authorization: Bearer <token>.",
    { headers: { "WWW-Authenticate": `Bearer realm="belfry"${error}` } },
  );
}

/** Says what is wrong with the scopes of a token; undefined: nothing. */
function scopesFault({ scopes }: Grant): string | undefined {
  if (!Array.isArray(scopes) || scopes.length === 0) return "has no scopes";
  const unknown = (scopes as readonly Scope[]).find((scope) => !SCOPES.includes(scope));
  return unknown === undefined ? undefined : `has the scope ${JSON.stringify(unknown)}, which does not exist`;
}

/** Says what is wrong with what a token is narrowed to; undefined: nothing. */
function reachFault(grant: Grant): string | undefined {
  for (const name of ["queues", "tasks", "schedules"] as const) {
    const list: unknown = grant[name];
    if (list === undefined) continue;
    if (Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === "string" && one !== "")) continue;
    return `has ${name} that are no list of names; leave them out to narrow nothing`;
  }
  return undefined;
}

function reachOf({ queues, tasks, schedules }: Grant): Reach {
  return {
    ...(queues === undefined ? {} : { queues }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(schedules === undefined ? {} : { schedules }),
  };
}

function readToken(rule: TokenRule, index: number): Entry {
  const refuse = (problem: string): never => {
    throw new BelfryError("OPTION_INVALID", `Cannot make the app: auth.tokens[${index}] ${problem}; ${HOW}`);
  };
  checkOptions(rule, `createApp's auth.tokens[${index}]`, TOKEN_CHECKS);
  const { token, sha256, expiresAt = Number.POSITIVE_INFINITY } = rule;
  const fault = scopesFault(rule) ?? reachFault(rule);
  if (fault !== undefined) return refuse(fault);
  const access = new Access(rule.scopes, reachOf(rule));
  if (typeof expiresAt !== "number" || Number.isNaN(expiresAt)) refuse("has an expiresAt that is not epoch ms");
  if (sha256 !== undefined) {
    const bytes = bytesOfHex(sha256);
    if (bytes?.length !== 32) return refuse("has a sha256 that is not 64 hex digits");
    return { digest: Promise.resolve(bytes), access, expiresAt };
  }
  if (typeof token !== "string" || token === "") return refuse("is missing: is the variable of its token set?");
  if (token.length < MIN_TOKEN_LENGTH) refuse(`is too short to be a secret: ${MIN_TOKEN_LENGTH} characters at least`);
  if (token.length > MAX_TOKEN_LENGTH || !/^[\w\-.~+/]+=*$/.test(token)) {
    refuse("cannot travel in a header: letters, digits and -._~+/ may be in it, 4,096 characters at most");
  }
  // Hashed at the first request: on the edge no asynchronous work may run before it.
  let hashed: Promise<Uint8Array> | undefined;
  return {
    get digest() {
      hashed ??= digest(token);
      return hashed;
    },
    access,
    expiresAt,
  };
}
