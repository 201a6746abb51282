/**
 * Signed ticks: an external scheduler calls `/tick` with a signature, so no token can leak from its configuration or logs.
 *
 * The caller signs `"<seconds>.<METHOD>.<path and query>"` with a shared secret (HMAC-SHA-256) and sends
 * `Belfry-Signature: t=<seconds>,v1=<hex>`. Time and target are signed, so a signature allows this one call for a few
 * minutes. Each is accepted once: used signatures are remembered until they expire. That memory belongs to this process
 * unless `replay` gives a shared one; a repeated tick would do no harm, but it would cost.
 */
import { type Duration, parseDuration } from "../../src/base/duration.ts";
import { BelfryError } from "../../src/base/error.ts";
import { anything, type Checks, callback, checkOptions, duration, text, unfit } from "../../src/base/options.ts";
import { bytesOfHex, hexOf, hmac, sameBytes } from "./digest.ts";
import { Refusal } from "./problem.ts";

/** How ticks may be signed. */
export interface SigningOptions {
  /** Shared secrets of 32 characters or more; several while one replaces another. */
  secrets: readonly string[];
  /** How far the caller's clock may be off, either way. @default "5m" */
  tolerance?: Duration;
  /**
   * Remembers a signature, where several processes must refuse its repetition. Returns false when it was remembered already.
   *
   * @param untilMs when the signature expires, epoch ms
   * @default a memory of this process alone
   */
  replay?: (signature: string, untilMs: number) => boolean | Promise<boolean>;
}

const SIGNING_CHECKS: Checks<SigningOptions> = {
  // `readSigning` checks them, and says what the likely mistake is.
  secrets: anything,
  tolerance: duration({ minMs: 1_000, maxMs: 3_600_000 }),
  replay: callback,
};

/** {@link SigningOptions}, checked. */
export interface SigningRule {
  readonly secrets: readonly string[];
  readonly toleranceMs: number;
  readonly first: (signature: string, untilMs: number) => boolean | Promise<boolean>;
}

/** The header that carries a signature. */
export const SIGNATURE_HEADER = "Belfry-Signature";

const MIN_SECRET_LENGTH = 32;
/** No scheduler sends more valid signatures than this within the tolerance; the oldest are forgotten beyond it. */
const MAX_REMEMBERED = 10_000;

/**
 * Checks the options.
 *
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readSigning(options: SigningOptions): SigningRule {
  checkOptions(options, "createApp's auth.signing", SIGNING_CHECKS);
  const { secrets, tolerance = "5m", replay } = options;
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.some((secret) => !isSecret(secret))) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot make the app: auth.signing.secrets must be a list of texts of at least ${MIN_SECRET_LENGTH} characters; ` +
        "is their variable set?",
    );
  }
  const toleranceMs = parseDuration(tolerance, "auth.signing.tolerance");
  return { secrets, toleranceMs, first: replay ?? remember };
}

function isSecret(secret: unknown): boolean {
  return typeof secret === "string" && secret.length >= MIN_SECRET_LENGTH;
}

/** Used signatures of all apps of this process: on the edge an app may live for one request only. */
const taken = new Map<string, number>();

function remember(signature: string, untilMs: number): boolean {
  if (taken.has(signature)) return false;
  // Insertion order is nearly the order of age, so the oldest come first.
  for (const [old] of taken) {
    if (taken.size < MAX_REMEMBERED) break;
    taken.delete(old);
  }
  taken.set(signature, untilMs);
  return true;
}

/** The call that {@link signTick} signs. */
export interface TickCall {
  /** `GET` or `POST`. */
  method: string;
  /** The address that is called; its path and query are signed. */
  url: string;
  /** Epoch ms. */
  now: number;
}

const CALL_CHECKS: Checks<TickCall> = {
  method: text,
  url: text,
  now: (value, name, of) => {
    if (!Number.isFinite(value)) throw unfit(value, name, of, "an instant in epoch milliseconds");
  },
};

/**
 * Signs a tick: makes the value of the header `Belfry-Signature`.
 *
 * @throws BelfryError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { signTick } from "./signature.ts";
 *
 * const secret = "0123456789abcdef0123456789abcdef";
 * const header = await signTick(secret, { method: "POST", url: "https://example.com/tick", now: 1_800_000_000_000 });
 * if (!header.startsWith("t=1800000000,v1=")) throw new Error(header);
 * ```
 */
export async function signTick(secret: string, call: TickCall): Promise<string> {
  checkOptions(call, "signTick", CALL_CHECKS);
  const seconds = Math.floor(call.now / 1000);
  return `t=${seconds},v1=${hexOf(await hmac(secret, signed(seconds, call.method, call.url)))}`;
}

function signed(seconds: number, method: string, url: string): string {
  const { pathname, search } = new URL(url);
  return `${seconds}.${method.toUpperCase()}.${pathname}${search}`;
}

/**
 * Accepts a signed request, once.
 *
 * @param now epoch ms
 * @throws Refusal `UNAUTHORIZED` it is unsigned, signed wrongly, too old or from the future; `SIGNATURE_REPLAYED`
 */
export async function checkSignature(rule: SigningRule, request: Request, now: number): Promise<void> {
  const parts = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(request.headers.get(SIGNATURE_HEADER) ?? "");
  const seconds = Number(parts?.[1]);
  const presented = parts ? bytesOfHex(parts[2]!) : undefined;
  const refuse = (why: string): never => {
    throw new Refusal("UNAUTHORIZED", `Cannot take the signed tick: ${why}.`);
  };
  if (!presented) return refuse(`its ${SIGNATURE_HEADER} is not of the form t=<seconds>,v1=<64 hex digits>`);
  const text = signed(seconds, request.method, request.url);
  let valid = false;
  // All secrets are tried, also after one has matched.
  for (const secret of rule.secrets) valid = sameBytes(await hmac(secret, text), presented) || valid;
  if (!valid) return refuse("its signature fits none of the secrets; sign <seconds>.<METHOD>.<path and query>");
  const ageMs = now - seconds * 1000;
  if (Math.abs(ageMs) > rule.toleranceMs) {
    return refuse(`it was signed ${Math.round(ageMs / 1000)} s ago by this clock; is the caller's clock right?`);
  }
  if (!(await rule.first(hexOf(presented), seconds * 1000 + rule.toleranceMs))) {
    throw new Refusal("SIGNATURE_REPLAYED", "Cannot take the signed tick: this signature was used before.");
  }
}
