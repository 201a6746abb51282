/**
 * What does a recurrence rule say, and how is it written?
 *
 * A rule is a list of parts, `FREQ=WEEKLY;INTERVAL=2;BYDAY=MO`, in any order and case (RFC 5545, section 3.3.10). Each
 * part is read by one line of a table. What the RFC forbids is refused: a part that is there twice, COUNT beside UNTIL, a
 * BY part that its FREQ cannot have.
 */
import { CronSyntaxError, nearest } from "../base/error.ts";

/** Frequencies, from the finest to the coarsest; a rule holds the index. */
const FREQUENCIES = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"] as const;
export const MINUTELY = 1;
export const HOURLY = 2;
export const DAILY = 3;
export const WEEKLY = 4;
export const MONTHLY = 5;
export const YEARLY = 6;

/** Two letters for each weekday, from Sunday. */
const WEEKDAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"] as const;

/** A weekday of BYDAY. */
export interface RuleDay {
  /** 0 is Sunday. */
  readonly day: number;
  /** Which one of the month or year, counted from its end where negative; 0: each. */
  readonly nth: number;
}

/** A rule that was read. Lists are sorted, and empty where the part is not there. */
export interface Rule {
  /** Index in {@link FREQUENCIES}. */
  readonly freq: number;
  readonly interval: number;
  /** How many occurrences there are; null: no limit. */
  readonly count: number | null;
  /** The last moment as it is written, `20261224`, `20261224T180000` or `20261224T180000Z`; null: no limit. */
  readonly until: string | null;
  readonly bySecond: readonly number[];
  readonly byMinute: readonly number[];
  readonly byHour: readonly number[];
  readonly byDay: readonly RuleDay[];
  readonly byMonthDay: readonly number[];
  readonly byYearDay: readonly number[];
  readonly byWeekNo: readonly number[];
  readonly byMonth: readonly number[];
  readonly bySetPos: readonly number[];
  /** First day of the week, 0 is Sunday. */
  readonly weekStart: number;
}

/** Lists of numbers: smallest and largest; those that count from the end too may be negative. */
const NUMBERS = {
  BYSECOND: ["bySecond", 0, 59, false],
  BYMINUTE: ["byMinute", 0, 59, false],
  BYHOUR: ["byHour", 0, 23, false],
  BYMONTHDAY: ["byMonthDay", 1, 31, true],
  BYYEARDAY: ["byYearDay", 1, 366, true],
  BYWEEKNO: ["byWeekNo", 1, 53, true],
  BYMONTH: ["byMonth", 1, 12, false],
  BYSETPOS: ["bySetPos", 1, 366, true],
} as const;

const NAMES = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST", ...Object.keys(NUMBERS)];
/** Counting goes over all occurrences, so there is a limit. */
const MAX_COUNT = 100_000;
const MAX_INTERVAL = 1_000_000;

/** A part of a rule and where it stands. */
interface Part {
  readonly name: string;
  readonly value: string;
  /** Where the value begins. */
  readonly column: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Reads a rule.
 *
 * @param text with or without `RRULE:` before it
 * @throws {CronSyntaxError} `CRON_SYNTAX` where it cannot be read, with the part and its place
 */
export function readRule(text: string): Rule {
  const refuse = (field: string, column: number, found: string, expected: string, hint?: string): never => {
    throw new CronSyntaxError({ expression: text, field, column, found, expected, hint });
  };
  const rule: Mutable<Rule> = {
    freq: -1,
    interval: 1,
    count: null,
    until: null,
    bySecond: [],
    byMinute: [],
    byHour: [],
    byDay: [],
    byMonthDay: [],
    byYearDay: [],
    byWeekNo: [],
    byMonth: [],
    bySetPos: [],
    weekStart: 1,
  };
  const parts = new Map<string, Part>();
  for (const part of partsOf(text, refuse)) {
    const { name, value, column } = part;
    if (parts.has(name)) refuse(name, column - name.length - 1, name, "each part once");
    parts.set(name, part);
    const whole = (found: string, at: number, max: number): number => {
      const number = /^\d{1,7}$/.test(found) ? Number(found) : 0;
      return number >= 1 && number <= max ? number : refuse(name, at, found, `1-${max}`);
    };
    /** Reads a comma list; each item with the column at which it stands. */
    const list = <T>(read: (item: string, at: number) => T): T[] => {
      let at = column;
      return value.split(",").map((item) => {
        const result = read(item, at);
        at += item.length + 1;
        return result;
      });
    };
    if (name === "FREQ") {
      rule.freq = (FREQUENCIES as readonly string[]).indexOf(value);
      const guess = nearest(value, FREQUENCIES);
      if (rule.freq < 0) {
        refuse(name, column, value, FREQUENCIES.join(", "), guess && `did you mean "${guess}"?`);
      }
    } else if (name === "INTERVAL") rule.interval = whole(value, column, MAX_INTERVAL);
    else if (name === "COUNT") rule.count = whole(value, column, MAX_COUNT);
    else if (name === "UNTIL") {
      if (!isMoment(value)) refuse(name, column, value, "a day like 20261224 or a time like 20261224T180000Z");
      rule.until = value;
    } else if (name === "WKST") rule.weekStart = readDay(value, column, name, refuse).day;
    else if (name === "BYDAY") {
      const days = list((item, at) => readDay(item, at, name, refuse));
      rule.byDay = days.sort(
        (a, b) => fromEndLast(a.nth) - fromEndLast(b.nth) || ((a.day + 6) % 7) - ((b.day + 6) % 7),
      );
      rule.byDay = rule.byDay.filter(
        ({ day, nth }, i) => rule.byDay[i - 1]?.day !== day || rule.byDay[i - 1]?.nth !== nth,
      );
    } else {
      const [key, min, max, signed] = NUMBERS[name as keyof typeof NUMBERS];
      const numbers = list((item, at) => {
        const number = Number(item);
        const fits =
          (signed ? /^[+-]?\d{1,3}$/ : /^\d{1,2}$/).test(item) && Math.abs(number) >= min && Math.abs(number) <= max;
        return fits
          ? number
          : refuse(name, at, item, `${min}-${max}${signed ? `, or -${max} to -1 from the end` : ""}`);
      });
      rule[key] = [...new Set(numbers)].sort((a, b) => fromEndLast(a) - fromEndLast(b));
    }
  }
  checkParts(rule, parts, refuse);
  return rule;
}

type Refuse = (field: string, column: number, found: string, expected: string, hint?: string) => never;

/** Splits a rule; names and values in capitals. */
function partsOf(text: string, refuse: Refuse): Part[] {
  const odd = text.search(/[^ -~\t]/);
  const foreign = /^\s*(DTSTART|EXDATE|RDATE|EXRULE)\b/im.exec(text);
  if (foreign) {
    const name = foreign[1]!.toUpperCase();
    const remedy =
      { DTSTART: "give startAt and timeZone", EXDATE: "give exclude" }[name] ?? "use a schedule of its own";
    refuse(name, text.indexOf(foreign[1]!), foreign[1]!, "a rule alone", `${name} is not part of a rule: ${remedy}`);
  }
  if (odd >= 0) refuse("rule", odd, text[odd]!, "one line of ASCII");
  const [head] = /^[ \t]*(?:RRULE:)?[ \t]*/i.exec(text)!;
  const body = text.slice(head.length).trimEnd();
  let column = head.length;
  return body.split(";").map((item) => {
    const equals = item.indexOf("=");
    const name = (equals < 0 ? item : item.slice(0, equals)).toUpperCase();
    if (!NAMES.includes(name)) {
      const guess = nearest(name, NAMES, name.length / 3);
      const hint = /^(RSCALE|SKIP)$/.test(name)
        ? "only the Gregorian calendar is known"
        : guess && `did you mean "${guess}"?`;
      refuse("rule", column, item.slice(0, name.length), "a part like FREQ=WEEKLY or BYDAY=MO", hint);
    }
    if (equals < 0) refuse(name, column + item.length, "", `${name}= and a value`);
    const part = { name, value: item.slice(equals + 1).toUpperCase(), column: column + equals + 1 };
    column += item.length + 1;
    return part;
  });
}

/** Reads `MO`, `2TH` or `-1FR`. */
function readDay(item: string, column: number, name: string, refuse: Refuse): RuleDay {
  const [, nth = "0", letters = ""] = /^([+-]?\d{1,2})?([A-Z]+)$/.exec(item) ?? [];
  const day = (WEEKDAYS as readonly string[]).indexOf(letters);
  const isNumbered = nth !== "0";
  if (day >= 0 && !(isNumbered && (name === "WKST" || Number(nth) === 0 || Math.abs(Number(nth)) > 53))) {
    return { day, nth: Number(nth) };
  }
  // Three letters or the whole name.
  const guess = WEEKDAYS.find((short) => letters.length > 2 && letters.startsWith(short));
  const expected =
    name === "WKST" ? "MO, TU, WE, TH, FR, SA or SU" : "a weekday like MO, or one of them like 2MO or -1FR";
  return refuse(name, column, item, expected, guess && `did you mean "${item.replace(letters, guess)}"?`);
}

/** Whether a text is a day or a time that there is, as UNTIL has it. */
function isMoment(text: string): boolean {
  const [, year, month, day, hour = "00", minute = "00", second = "00"] =
    /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z?)?$/.exec(text) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const at = Date.parse(`${iso}Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(iso);
}

/** What sorts numbers that count from the end behind the others. */
function fromEndLast(number: number): number {
  return number < 0 ? number + 1_000 : number;
}

/** Refuses what does not go together. */
function checkParts(rule: Rule, parts: ReadonlyMap<string, Part>, refuse: Refuse): void {
  const { freq } = rule;
  const clash = (name: string, expected: string, hint: string): never => {
    const { column, value } = parts.get(name)!;
    return refuse(name, column, value, expected, hint);
  };
  if (freq < 0) refuse("FREQ", 0, "", `FREQ with one of ${FREQUENCIES.join(", ")}`);
  if (rule.count !== null && rule.until !== null)
    clash("UNTIL", "COUNT or UNTIL", "a rule ends in one way only: leave one out");
  if (rule.bySetPos.length > 0 && ![...parts.keys()].some((name) => /^BY(?!SETPOS)/.test(name))) {
    clash("BYSETPOS", "another BY part beside it", "BYSETPOS picks from what the other BY parts give");
  }
  const numbered = rule.byDay.find(({ nth }) => nth !== 0);
  if (numbered && (freq < MONTHLY || rule.byWeekNo.length > 0)) {
    const what =
      rule.byWeekNo.length > 0
        ? "weekdays without numbers beside BYWEEKNO"
        : `weekdays without numbers in ${FREQUENCIES[freq]}`;
    clash("BYDAY", what, "numbers count the weekdays of a month or a year: use FREQ=MONTHLY or FREQ=YEARLY");
  }
  if (rule.byDay.some(({ nth }) => Math.abs(nth) > 5) && (freq === MONTHLY || rule.byMonth.length > 0)) {
    clash("BYDAY", "numbers of 1-5, or -5 to -1", "a month has at most five of a weekday");
  }
  if (rule.byWeekNo.length > 0 && freq !== YEARLY) {
    clash(
      "BYWEEKNO",
      "FREQ=YEARLY beside it",
      "weeks are numbered within a year; for every Nth week write FREQ=WEEKLY;INTERVAL=N",
    );
  }
  if (rule.byYearDay.length > 0 && freq >= DAILY && freq < YEARLY) {
    clash("BYYEARDAY", "FREQ=YEARLY, or one finer than DAILY, beside it", "use FREQ=YEARLY");
  }
  if (rule.byMonthDay.length > 0 && freq === WEEKLY) {
    clash("BYMONTHDAY", "no FREQ=WEEKLY beside it", "use FREQ=MONTHLY, or FREQ=DAILY with BYDAY and BYMONTHDAY");
  }
}

/** Writes a rule: capitals, sorted lists, without what is the default. */
export function writeRule(rule: Rule): string {
  const days = rule.byDay.map(({ day, nth }) => `${nth || ""}${WEEKDAYS[day]}`);
  const parts: [string, string | number | null][] = [
    ["FREQ", FREQUENCIES[rule.freq]!],
    ["INTERVAL", rule.interval > 1 ? rule.interval : null],
    ["COUNT", rule.count],
    ["UNTIL", rule.until],
    ["BYMONTH", rule.byMonth.join()],
    ["BYWEEKNO", rule.byWeekNo.join()],
    ["BYYEARDAY", rule.byYearDay.join()],
    ["BYMONTHDAY", rule.byMonthDay.join()],
    ["BYDAY", days.join()],
    ["BYHOUR", rule.byHour.join()],
    ["BYMINUTE", rule.byMinute.join()],
    ["BYSECOND", rule.bySecond.join()],
    ["BYSETPOS", rule.bySetPos.join()],
    ["WKST", rule.weekStart === 1 ? null : WEEKDAYS[rule.weekStart]!],
  ];
  return `RRULE:${parts
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name}=${value}`)
    .join(";")}`;
}
