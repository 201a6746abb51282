/**
 * How is a time zone's name spelled, and which zone was meant by an unknown name?
 *
 * The spelling comes from rules of our own, checked against all names of tzdata: a runtime that is asked for `us/eastern`
 * may name the target of the alias, and two hosts would store two names. The runtime only says whether it knows a zone.
 */
import { BelfryError, nearest } from "../base/error.ts";

/** Shows "11/22/2026, GMT-05:00", and "GMT" alone for no offset. */
export function formatter(timeZone?: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" });
}

/** Reads `+05:30` or, from `Intl`, `-04:56:02`; seconds, `null` where it is none. */
export function offsetOf(text: string): number | null {
  const [, sign, clock] = /^([+-])((?:[01]\d|2[0-3]):[0-5]\d(?::\d\d)?)$/.exec(text) ?? [];
  return sign ? Date.parse(`1970-01-01T${clock}Z`) / +`${sign}1000` : null;
}

/** Words that IANA does not write like other names. */
const SPELLINGS =
  "ComodRivadavia DumontDUrville McMurdo DeNoronha EasterIsland BajaNorte BajaSur US GMT UTC UCT EST EDT CST CDT MST MDT PST PDT HST CET MET EET WET GB NZ CHAT ACT NSW LHI PRC ROC ROK SU W IN au es of".split(
    " ",
  );

/**
 * Spells a name as IANA does. The runtime is not asked, since some name the target of an alias: all hosts must store the
 * same.
 */
function ianaCase(name: string): string {
  return name
    .toLowerCase()
    .replace(/[a-z]+/g, (word) => SPELLINGS.find((known) => known.toLowerCase() === word) ?? capital(word));
}

function isKnown(name: string): boolean {
  // Some engines take abbreviations that IANA has not, like "bst", for Bangladesh.
  if (!/^[a-z].{3}|^([cemw]et|[ehm]st|gmt|uct|utc|prc|ro[ck]|gb|nz)$/i.test(name)) return false;
  try {
    return Boolean(formatter(name));
  } catch {
    return false;
  }
}

/**
 * Finds a zone's name as it is to be stored: as IANA spells it, an alias under its own name.
 *
 * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone
 */
export function storedName(name: string): string {
  const proper = ianaCase(name);
  if (isKnown(proper)) return proper === "Etc/UTC" ? "UTC" : proper;
  throw new BelfryError("ZONE_UNKNOWN", `No time zone "${name}" in this runtime${zoneHint(name.trim())}`);
}

/** Abbreviations in use, each with the zones that it may stand for. */
const ABBREVIATIONS =
  "IST Asia/Kolkata Asia/Jerusalem Europe/Dublin,CST America/Chicago Asia/Shanghai America/Havana,BST Europe/London Asia/Dhaka,PST America/Los_Angeles Asia/Manila,EDT America/New_York,CDT America/Chicago,MDT America/Denver,PDT America/Los_Angeles,CEST Europe/Berlin,JST Asia/Tokyo";

const REGIONS = ["", "Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/", "Atlantic/"];

/** Says which zone was probably meant; nothing where none is near. */
function zoneHint(name: string): string {
  const [, ...meanings] = ABBREVIATIONS.split(",")
    .map((line) => line.split(" "))
    .find(([abbreviation]) => abbreviation === name.toUpperCase()) ?? [""];
  if (meanings[1]) return `; it is ambiguous: ${meanings.join(" or ")}`;
  const [, sign, hour = "", minute = "00"] = /^(?:UTC|GMT)? ?([+-])(\d\d?):?(\d\d)?$/i.exec(name) ?? [];
  const offset = `${sign}${hour.padStart(2, "0")}:${minute}`;
  const place = ianaCase(name.replace(/ /g, "_"));
  const zones: string[] = Intl.supportedValuesOf("timeZone");
  const near = (): string | undefined => {
    const guess = nearest(
      place,
      zones.map((zone) => (place.includes("/") ? zone : zone.replace(/.*\//, ""))),
      place.length / 3,
    );
    return guess && zones.find((zone) => zone.endsWith(guess));
  };
  const found =
    meanings[0] ??
    (offsetOf(offset) === null ? (REGIONS.map((region) => region + place).find(isKnown) ?? near()) : offset);
  return found ? `; did you mean "${found}"?` : "";
}

function capital(word: string): string {
  return word.replace(/^./, (letter) => letter.toUpperCase());
}
