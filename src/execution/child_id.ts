/**
 * Which id does a child get? One computed from the parent's id and the call's name, so that a call that begins again after a
 * crash inserts no second child.
 *
 * It is a UUID of version 8 (RFC 9562, "custom"): the first 48 bits are the parent's, if that is a UUID, so children sort with
 * their parents; the rest is taken from SHA-256 over both, so that no other call's id can be made on purpose.
 */
import { sha256 } from "../base/sha256.ts";

/** Computes the id of the child that a call of a job makes. */
export function childId(parentId: string, step: string): string {
  const bytes = sha256(`${parentId}\n${step}`).subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  const time = /^([0-9a-f]{8})-([0-9a-f]{4})-/.exec(parentId);
  const head = time ? time[1]! + time[2]! : hex.slice(0, 12);
  return `${head.slice(0, 8)}-${head.slice(8)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
