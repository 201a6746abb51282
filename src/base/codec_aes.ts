/**
 * Payloads encrypted with AES-GCM (NIST SP 800-38D) by WebCrypto: inputs, outputs, step outputs, signals and progress.
 *
 * What is stored is `aes.<key id>.<base64url of iv, ciphertext and tag>`. The key's id travels with each payload, so keys
 * rotate by adding a new current one and keeping the old ones as long as something they wrote is stored. The id is
 * authenticated too. Each payload draws a random 96-bit iv: one key is good for 2^32 payloads (SP 800-38D, 8.3).
 *
 * Not encrypted: names, keys, tags, times, and errors (their messages are for people who look at failed jobs).
 */
import type { Codec } from "./codec.ts";
import { BelfryError } from "./error.ts";
import { type Checks, checkOptions, flag, text, unfit } from "./options.ts";

/** Options of {@link aesGcm}. */
export interface AesGcmOptions {
  /** Keys by id (letters, digits, `_`, `-`): 16, 24 or 32 bytes, their base64, or a `CryptoKey`. */
  keys: Record<string, Uint8Array | string | CryptoKey>;
  /** Id of the key that encrypts; the others only decrypt. */
  current: string;
  /**
   * Read payloads that were stored as plain JSON before encryption was turned on.
   *
   * @default false: who can write to the database could otherwise put in plain payloads of his own
   */
  readPlain?: boolean;
}

const CHECKS: Checks<AesGcmOptions> = {
  keys: (value, name, of) => {
    if (typeof value !== "object" || value === null) throw unfit(value, name, of, "keys by their ids");
  },
  current: text,
  readPlain: flag,
};

const PREFIX = "aes.";
const IV_BYTES = 12;

/**
 * Makes a codec that encrypts.
 *
 * @throws BelfryError `OPTION_INVALID` no current key, a bad id, a key of the wrong size
 *
 * @example
 * ```ts
 * import { aesGcm } from "belfry";
 *
 * const codec = aesGcm({ keys: { "2026": new Uint8Array(32).fill(7) }, current: "2026" });
 * const stored = await codec.encode('{"secret":1}');
 * if (stored.includes("secret") || (await codec.decode(stored)) !== '{"secret":1}') throw new Error("broken");
 * ```
 */
export function aesGcm(options: AesGcmOptions): Codec {
  checkOptions(options, "aesGcm", CHECKS);
  const { keys = {}, current, readPlain = false } = options;
  const imported = new Map<string, Promise<CryptoKey>>();
  for (const [id, key] of Object.entries(keys)) {
    if (!/^[\w-]+$/.test(id))
      refuse(`key id ${JSON.stringify(id)} has other characters than letters, digits, "_" and "-"`);
    const ready = importKey(id, key);
    ready.catch(() => {});
    imported.set(id, ready);
  }
  if (!imported.has(current)) refuse(`the current key ${JSON.stringify(current)} is not among keys`);

  return {
    async encode(json) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
      const additionalData = new TextEncoder().encode(current);
      const key = await imported.get(current)!;
      const sealed = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv, additionalData },
        key,
        new TextEncoder().encode(json),
      );
      const bytes = new Uint8Array(IV_BYTES + sealed.byteLength);
      bytes.set(iv);
      bytes.set(new Uint8Array(sealed), IV_BYTES);
      return `${PREFIX}${current}.${toBase64Url(bytes)}`;
    },

    async decode(stored) {
      if (!stored.startsWith(PREFIX)) {
        if (readPlain) return stored;
        throw new Error("it is not encrypted, and readPlain is off");
      }
      const [, id = "", text = ""] = stored.split(".");
      const key = imported.get(id);
      if (!key) throw new Error(`it was encrypted with key ${JSON.stringify(id)}, which is not among keys`);
      const bytes = fromBase64(text);
      const iv = bytes.subarray(0, IV_BYTES);
      const additionalData = new TextEncoder().encode(id);
      const opened = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv, additionalData },
        await key,
        bytes.subarray(IV_BYTES),
      );
      return new TextDecoder().decode(opened);
    },
  };
}

function refuse(problem: string): never {
  throw new BelfryError("OPTION_INVALID", `Cannot make the AES-GCM codec: ${problem}`);
}

function importKey(id: string, key: Uint8Array | string | CryptoKey): Promise<CryptoKey> {
  if (typeof key === "object" && !(key instanceof Uint8Array)) return Promise.resolve(key);
  const bytes = typeof key === "string" ? fromBase64(key) : new Uint8Array(key);
  if (![16, 24, 32].includes(bytes.length))
    refuse(`key ${JSON.stringify(id)} has ${bytes.length} bytes, not 16, 24 or 32`);
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
