/**
 * Which other scheduler's text is this, and how is it written here?
 *
 * This runs only for text that was refused. What surrounds the fields is removed (a zone, a comment, `cron(...)`), then
 * the known orders of fields are tried. Weekdays are renumbered where a dialect counts from 1 = Sunday.
 *
 * A suggestion never occurs more often than the author meant; where that is in doubt, nothing is suggested.
 */
import { FIELDS, MONTH, WEEKDAY } from "./field.ts";

const EVENTBRIDGE = "Amazon EventBridge";
const NCRONTAB = "Azure NCRONTAB";

/**
 * Says which dialect a refused text looks like, and what to write instead.
 *
 * @param rewrite gives the canonical text of five or six fields, `undefined` where they cannot be read
 * @returns `undefined` where nothing can be said
 */
export function dialectHint(
  expression: string,
  rewrite: (words: readonly string[]) => string | undefined,
): string | undefined {
  let dialect = "";
  let text = expression.replace(/[\s\u200b]+/g, " ").trim();
  const options: string[] = [];
  const answer = (instead: string | undefined): string | undefined => {
    const guess = instead && `did you mean "${instead}"${options[0] ? ` with ${options.join(", ")}` : ""}?`;
    return dialect ? `looks like ${dialect}${guess ? `; ${guess}` : ""}` : guess;
  };
  /** Takes off what only one dialect has; returns the part of it that says something. */
  const strip = (pattern: RegExp, name: string): string | undefined => {
    const [whole = "", part] = pattern.exec(text) ?? [];
    if (whole) dialect = name;
    text = text.replace(whole, "");
    return part;
  };
  if (/^(RRULE:|FREQ=|DTSTART)/i.test(text)) return 'looks like a recurrence rule; see "belfry/rrule"';
  const zone = strip(/^(?:CRON_)?TZ=(\S+) /i, "a crontab with a zone");
  if (zone) options.push(`timeZone: "${zone}"`);
  strip(/(?:^| )#.*/, "a crontab with a comment");
  const once = strip(/^at\((.+)\)$/i, EVENTBRIDGE);
  if (once) return `looks like ${dialect}; schedule { at: "${once}" }`;
  const [, rate, count, unit] = /^(?:(rate\()|@?every )?(\d+) ?(?!mo|ms)([smhdw])[a-z]*\)?$/i.exec(text) ?? [];
  if (rate) dialect = EVENTBRIDGE;
  if (unit) return answer(`@every ${count}${unit.toLowerCase()}`);
  const wrapped = strip(/^cron\((.*)\)$/i, EVENTBRIDGE);
  text = (wrapped ?? text).replace(/[a-z]{4,}/gi, (word) => {
    const short = abbreviation(word.toUpperCase());
    if (short) dialect ||= NCRONTAB;
    return short ?? word;
  });

  const words = text.split(" ");
  const { length } = words;
  const [a, b, c, d, e, f = ""] = words as [string, string, string, string, string, string?];
  const yearLast = length === 6 && (wrapped || c === "?" || e === "?" || /^\d{4}/.test(f));
  const fields = words.slice(0, yearLast ? 5 : 6);
  const [day, , weekday] = fields.slice(-3) as [string, string, string];
  const bothDays = /[^*?]/.test(day) && /[^*?]/.test(weekday);
  const marked = wrapped || words.includes("?");
  if (yearLast || length === 7 || (length === 6 && marked && !dialect)) {
    const [, years, first, last = first] = /^(\*|(\d{4})(?:-(\d{4}))?)$/.exec(words[fields.length] ?? "*") ?? [];
    // Those that want `?` in a day field count weekdays from 1 = Sunday, and never ask both day fields.
    if (marked) fields.splice(-1, 1, fromSunday(weekday));
    const instead = years && !(marked && bothDays) ? rewrite(fields) : undefined;
    if (instead || yearLast) {
      dialect ||= !marked ? "a dialect with years" : yearLast ? EVENTBRIDGE : "Quartz";
      if (first) options.push(`startAt: "${first}-01-01"`, `endAt: "${last}-12-31"`);
      return answer(instead);
    }
  }
  // Others ask both day fields.
  if (dialect === NCRONTAB && bothDays) options.push('days: "and"');
  let instead = wrapped && /\d/.test(weekday) ? undefined : rewrite(words);
  if (length === 5 && !wrapped) instead ??= rewrite([a, b, c, e, d]);
  if (/^\d\d?$/.test(f)) instead ??= rewrite([f, a, b, c, d, e]);
  if (instead) return answer(instead);
  const command = /^[/.~]|^[a-z].*[ .%]/i.test(words.slice(5).join(" "));
  instead = a[0] === "@" ? rewrite([a]) : command ? rewrite([a, b, c, d, e]) : undefined;
  if (instead) dialect = "a crontab with a command";
  return answer(instead);
}

/** The three letters that stand for a full name, its plural, or its beginning. */
function abbreviation(word: string): string | undefined {
  const names = [...FIELDS[MONTH]!.names, ...FIELDS[WEEKDAY]!.names];
  return names.some((name) => `${name}s`.toUpperCase().startsWith(word)) ? word.slice(0, 3) : undefined;
}

/** Renumbers weekdays that count from 1 = Sunday. There `L` is Saturday, and `N/K` ends with it. */
function fromSunday(weekday: string): string {
  return weekday
    .toUpperCase()
    .replace(/^L$/, "7")
    .replace(/(^|,)(\w+)\//g, "$1$2-7/")
    .replace(/(^|[,-])(\d)(?!\d)/g, (_, before: string, day: number) => before + "x0123456"[day]);
}
