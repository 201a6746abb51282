/**
 * What does a recurrence rule say, in plain English?
 *
 * Part by part, with what the start gave: how often, in which months, on which days, at which times, which of these, from
 * when to when.
 */
import type { LocalRule } from "./local.ts";
import { DAILY, MINUTELY, type Rule, type RuleDay, WEEKLY, YEARLY } from "./rule.ts";

const UNITS = ["second", "minute", "hour", "day", "week", "month", "year"] as const;
const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
/** More times than this are told as hours and minutes. */
const MAX_TIMES = 6;

/**
 * Says a rule in words: "Every 2 weeks on Monday, at 09:00, from 2026-12-07".
 *
 * @param base the local second from which it counts
 */
export function describeRule(rule: Rule, { days, times }: LocalRule, base: number): string {
  const { freq, interval, count, until } = rule;
  const { byMonth, byWeekNo, byYearDay, byMonthDay, byDay } = days;
  const unit = UNITS[freq]!;
  const parts: string[] = [];
  const on = [
    byDay.length > 0 && listed(byDay.map((day) => weekdayWords(day, freq === YEARLY && byMonth.length === 0))),
    byMonthDay.length > 0 && dayWords(byMonthDay, "the last day", (day) => `the ${ordinal(day)} last day`),
    byYearDay.length > 0 &&
      `${dayWords(byYearDay, "the last day", (day) => `the ${ordinal(day)} last day`)} of the year`,
  ].filter((words) => words !== false);
  const first = on.shift();
  parts.push(`Every ${interval > 1 ? `${interval} ${unit}s` : unit}${first ? ` on ${first}` : ""}`);
  // More than one condition must hold.
  for (const words of on) parts.push(`if it is ${words.replaceAll(" and ", " or ")}`);
  if (byWeekNo.length > 0)
    parts.push(`in ${dayWords(byWeekNo, "the last week", (week) => `the ${ordinal(week)} last week`, "week")}`);
  if (byMonth.length > 0) parts.push(`in ${listed(byMonth.map((month) => MONTHS[month - 1]!))}`);
  parts.push(...timeWords(freq, times));
  if (rule.bySetPos.length > 0) {
    const which = rule.bySetPos.map((place) =>
      place > 0 ? ordinal(place) : place === -1 ? "last" : `${ordinal(-place)} last`,
    );
    parts.push(`only the ${listed(which)} of each ${interval > 1 ? "such " : ""}${unit}`);
  }
  if ((freq === WEEKLY && interval > 1) || byWeekNo.length > 0) {
    if (rule.weekStart !== 1) parts.push(`weeks begin on ${DAYS[rule.weekStart]}`);
  }
  const start = new Date(base * 1000).toISOString();
  parts.push(`from ${start.slice(0, 10)}${start.slice(11, 19) === "00:00:00" ? "" : ` ${start.slice(11, 19)}`}`);
  if (until !== null) parts.push(`until ${momentWords(until)}`);
  if (count !== null) parts.push(count === 1 ? "once" : `${count} times`);
  return parts.join(", ");
}

function timeWords(freq: number, { hours, minutes, seconds }: LocalRule["times"]): string[] {
  const two = (value: number): string => `${value}`.padStart(2, "0");
  if (freq >= DAILY && hours.length * minutes.length * seconds.length <= MAX_TIMES) {
    const times = hours.flatMap((hour) =>
      minutes.flatMap((minute) =>
        seconds.map((second) => `${two(hour)}:${two(minute)}${second || seconds.length > 1 ? `:${two(second)}` : ""}`),
      ),
    );
    return [`at ${listed(times)}`];
  }
  const words: string[] = [];
  if (hours.length > 0) words.push(`hour ${listed(hours.map(String))}`);
  if (minutes.length > 0 && !(freq === MINUTELY && minutes.length === 60))
    words.push(`minute ${listed(minutes.map(String))}`);
  if (seconds.length > 0 && !(freq >= MINUTELY && `${seconds}` === "0"))
    words.push(`second ${listed(seconds.map(String))}`);
  return freq < DAILY || words.length > 0 ? words : [`at 00:00`];
}

function weekdayWords({ day, nth }: RuleDay, ofYear: boolean): string {
  const name = DAYS[day]!;
  if (nth === 0) return name;
  const which = nth > 0 ? ordinal(nth) : nth === -1 ? "last" : `${ordinal(-nth)} last`;
  return `the ${which} ${name}${ofYear ? " of the year" : ""}`;
}

/** Days or weeks: "day 1 and 15", "the last day", "the 2nd last day". */
function dayWords(numbers: readonly number[], last: string, fromEnd: (number: number) => string, unit = "day"): string {
  const ahead = numbers.filter((number) => number > 0).map(String);
  if (ahead[0]) ahead[0] = `${unit} ${ahead[0]}`;
  const behind = numbers.filter((number) => number < 0).map((number) => (number === -1 ? last : fromEnd(-number)));
  return listed([...ahead, ...behind]);
}

function momentWords(until: string): string {
  const [, year, month, day, hour, minute, second, utc] = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?$/.exec(
    until,
  )!;
  const time = hour ? ` ${hour}:${minute}${second === "00" ? "" : `:${second}`}${utc ? " UTC" : ""}` : "";
  return `${year}-${month}-${day}${time}`;
}

function ordinal(n: number): string {
  const teens = Math.floor(n / 10) % 10 === 1;
  return n + ((!teens && ["st", "nd", "rd"][(n % 10) - 1]) || "th");
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
