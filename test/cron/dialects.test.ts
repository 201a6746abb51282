/**
 * Is text of other schedulers refused with its name and the right text, and never with one that occurs more often?
 *
 * The rows are expressions that people brought. The property tests write random expressions in the numbering and the
 * order of a dialect, and compare what is suggested with what was meant.
 */
import { describe, expect, it } from "vitest";
import { Cron, type CronOptions, CronSyntaxError } from "../../src/cron/mod.ts";
import { anItem, type Item, Random } from "./generate.ts";

function refusal(expression: string): CronSyntaxError {
  try {
    new Cron(expression);
  } catch (error) {
    if (error instanceof CronSyntaxError) return error;
    throw error;
  }
  return expect.fail(`${JSON.stringify(expression)} was taken`);
}

interface Suggestion extends CronOptions {
  text: string;
  startAt?: string;
  endAt?: string;
}

/** Reads what a hint suggests, as a person would who copies it. */
function suggestion(expression: string): Suggestion | undefined {
  const hint = refusal(expression).hint ?? "";
  const [, text, options] = /did you mean "([^"]*)"(?: with (.*))?\?$/.exec(hint) ?? [];
  if (text === undefined) return undefined;
  const pairs = [...(options ?? "").matchAll(/(\w+): "([^"]*)"/g)].map(([, name, value]) => [name, value]);
  return { text, ...Object.fromEntries(pairs) };
}

const EVENTBRIDGE = "looks like Amazon EventBridge; ";
const QUARTZ = "looks like Quartz; ";
const NCRONTAB = "looks like Azure NCRONTAB; ";
const YEARS = "looks like a dialect with years; ";

describe("text of another scheduler", () => {
  it.each([
    // EventBridge: minute first, year last, `?` in a day field, 1 = Sunday.
    ["0 2 * * ? *", `${EVENTBRIDGE}did you mean "0 2 * * *"?`],
    ["0 5 ? * * *", `${EVENTBRIDGE}did you mean "0 5 * * *"?`],
    ["0/3 * * * ? *", `${EVENTBRIDGE}did you mean "0/3 * * * *"?`],
    ["* 8-23,0-1 * * ? *", `${EVENTBRIDGE}did you mean "* 8-23,0-1 * * *"?`],
    ["0 18 ? * MON-FRI *", `${EVENTBRIDGE}did you mean "0 18 * * 1-5"?`],
    ["0 0 ? * MON,WED,FRI *", `${EVENTBRIDGE}did you mean "0 0 * * 1,3,5"?`],
    ["0 12 ? * SUN,WED *", `${EVENTBRIDGE}did you mean "0 12 * * 0,3"?`],
    ["cron(0 2 * * ? *)", `${EVENTBRIDGE}did you mean "0 2 * * *"?`],
    ["cron(15 10 ? * 2-6 *)", `${EVENTBRIDGE}did you mean "15 10 * * 1-5"?`],
    ["cron(0 9 ? * 2/3 *)", `${EVENTBRIDGE}did you mean "0 9 * * 1-6/3"?`],
    ["cron(0 9 ? * L *)", `${EVENTBRIDGE}did you mean "0 9 * * 6"?`],
    ["cron(0 9 ? * 3#1,6L *)", `${EVENTBRIDGE}did you mean "0 9 * * 2#1,5L"?`],
    [
      "cron(0 9 L * ? 2026-2028)",
      `${EVENTBRIDGE}did you mean "0 9 L * *" with startAt: "2026-01-01", endAt: "2028-12-31"?`,
    ],
    ["cron(0 2 * * *)", `${EVENTBRIDGE}did you mean "0 2 * * *"?`],
    ["rate(5 minutes)", `${EVENTBRIDGE}did you mean "@every 5m"?`],
    ["rate(1 day)", `${EVENTBRIDGE}did you mean "@every 1d"?`],
    ["at(2027-03-01T13:00:00)", `${EVENTBRIDGE}schedule { at: "2027-03-01T13:00:00" }`],
    // Quartz: seconds first, year last, `?` in a day field, 1 = Sunday.
    [
      "0 15 10 ? * 6L 2002-2005",
      `${QUARTZ}did you mean "15 10 * * 5L" with startAt: "2002-01-01", endAt: "2005-12-31"?`,
    ],
    ["0 0 12 1/1 * ? *", `${QUARTZ}did you mean "0 12 1/1 * *"?`],
    ["30 0 12 ? * 2 *", `${QUARTZ}did you mean "30 0 12 * * 1"?`],
    ["0 0 12 ? * L", `${QUARTZ}did you mean "0 12 * * 6"?`],
    // gorhill/cronexpr and croner: a year, 0 = Sunday.
    ["0 9 * * 2-6 2026", `${YEARS}did you mean "0 9 * * 2-6" with startAt: "2026-01-01", endAt: "2026-12-31"?`],
    ["0 0 0 1 1 * *", `${YEARS}did you mean "0 0 1 1 *"?`],
    // NCRONTAB: full names; both day fields are asked.
    ["0 9 * * MONDAY", `${NCRONTAB}did you mean "0 9 * * 1"?`],
    ["0 30 9 * January,june Mondays", `${NCRONTAB}did you mean "30 9 * 1,6 1"?`],
    ["0 9 1-7 * Monday", `${NCRONTAB}did you mean "0 9 1-7 * 1" with days: "and"?`],
    ["0 9 * SEPT TUES-Thurs", `${NCRONTAB}did you mean "0 9 * 9 2-4"?`],
    // crontab files.
    [
      "CRON_TZ=America/New_York 0 9 * * 1",
      'looks like a crontab with a zone; did you mean "0 9 * * 1" with timeZone: "America/New_York"?',
    ],
    [
      "TZ=Asia/Tokyo 0 4 * * *",
      'looks like a crontab with a zone; did you mean "0 4 * * *" with timeZone: "Asia/Tokyo"?',
    ],
    ["TZ=UTC @every 1h", 'looks like a crontab with a zone; did you mean "@every 1h" with timeZone: "UTC"?'],
    ["30 2 29 2 * # only in leap years", 'looks like a crontab with a comment; did you mean "30 2 29 2 *"?'],
    [
      "30 2 29 2 * /opt/leap.sh   # only in leap years",
      'looks like a crontab with a command; did you mean "30 2 29 2 *"?',
    ],
    ["25 6\t* * *\troot\ttest -x /usr/sbin/anacron", 'looks like a crontab with a command; did you mean "25 6 * * *"?'],
    ["15 14 1 * * cat%first line", 'looks like a crontab with a command; did you mean "15 14 1 * *"?'],
    ["@daily /usr/bin/rotate 100\\% done", 'looks like a crontab with a command; did you mean "0 0 * * *"?'],
    ["@reboot /opt/start.sh", "call it where your program starts"],
    // What a text editor leaves.
    ["0 9 * * *\n", 'did you mean "0 9 * * *"?'],
    ["0 9 * * *\r\n", 'did you mean "0 9 * * *"?'],
    ["0 9 *\u00a0* *", 'did you mean "0 9 * * *"?'],
    ["\u200b0 9 * * *", 'did you mean "0 9 * * *"?'],
    ["cron(0 2 * * ? *)\n", `${EVENTBRIDGE}did you mean "0 2 * * *"?`],
    // Intervals in words.
    ["every 5 minutes", 'did you mean "@every 5m"?'],
    ["@every 5 minutes", 'did you mean "@every 5m"?'],
    ["30 seconds", 'did you mean "@every 30s"?'],
    ["@every 1H", 'did you mean "@every 1h"?'],
  ])("%j: %s", (expression, hint) => {
    expect(refusal(expression).hint).toBe(hint);
    expect(refusal(expression).message).toContain(hint);
    const { text, startAt, endAt, ...options } = suggestion(expression) ?? { text: "@daily" };
    expect([startAt, endAt].every((day) => day === undefined || /^\d{4}-\d\d-\d\d$/.test(day))).toBe(true);
    expect(new Cron(text, options).text).toBe(text === "@daily" ? "0 0 * * *" : text);
  });

  it.each([
    ["cron(0 25 * * ? *)", "looks like Amazon EventBridge"],
    ["cron(0 9 1 * 2 *)", "looks like Amazon EventBridge"],
    ["cron(0 9 * * 2)", "looks like Amazon EventBridge"],
    ["cron(0 9 ? * 8 *)", "looks like Amazon EventBridge"],
    ["cron(0 9 ? * 0 *)", "looks like Amazon EventBridge"],
    ["cron(0 9 * * ? 2026,2028)", "looks like Amazon EventBridge"],
    ["0 12 ? ? * MON", "looks like Amazon EventBridge"],
    ["rate(1 month)", undefined],
    ["@every 500ms", undefined],
    ["0 0 9 ? * MONN", 'did you mean "MON"?'],
    ["0 0 9 * * MONN", 'did you mean "MON"?'],
    ["1 - 5 * * * *", undefined],
    ["0 0 1 * * MON/9", undefined],
  ])("%j has no text that is surely what was meant: %s", (expression, hint) => {
    expect(refusal(expression).hint || undefined).toBe(hint);
  });

  it.each([
    ["0 9 *\u00a0* *", "U+00A0"],
    ["0 9 * * *\n", "U+000A"],
    ["0 9 * * mon\u2013fri", "U+2013"],
  ])("%j names the character that cannot be seen: %s", (expression, code) => {
    expect(refusal(expression).message).toContain(`found "${code}"`);
  });

  it("`?` is taken in the two day fields only", () => {
    for (const taken of ["0 9 ? * *", "0 9 * * ?", "0 0 9 ? * *", "0 0 9 * * ?", "0 9 ? * ?"]) {
      expect(new Cron(taken).text).toBe("0 9 * * *");
    }
    for (const refused of ["? 9 * * *", "0 ? * * *", "0 9 * ? *", "? 0 9 * * *", "0 0 ? * * *", "0 9 * * ? *"]) {
      expect(refusal(refused).found).toBe("?");
    }
  });
});

describe("a step larger than its range", () => {
  it.each([
    ["*/90 * * * *", 'did you mean "@every 90m"?'],
    ["0/90 * * * *", 'did you mean "@every 90m"?'],
    ["0 */90 * * * ?", 'did you mean "@every 90m"?'],
    ["*/90 * * * * *", 'did you mean "@every 90s"?'],
    ["30 */36 * * *", 'did you mean "@every 36h"?'],
    ["15-40/30 * * * *", 'did you mean "15"?'],
    ["0 0 * * MON-WED/4", 'did you mean "MON"?'],
    ["0 20-2/9 * * *", 'did you mean "20"?'],
    // Elapsed time would also occur at night, on Sundays, in other months.
    ["*/90 9-17 * * *", undefined],
    ["*/90 * * * SUN", undefined],
    ["0 */36 * JAN *", undefined],
    ["0 0 */45 * *", undefined],
  ])("%s: %s", (expression, hint) => {
    expect(refusal(expression).hint || undefined).toBe(hint);
  });
});

const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const SECOND = 0;
const MONTH_DAY = 3;
const WEEKDAY = 5;

/** A field as a dialect writes it, and the Belfry text that means the same. */
type Written = readonly [dialect: string, meant: string];

/** Writes a weekday item where 1 is Sunday; a step without an end goes to Saturday. */
function sundayFirst(random: Random): Written {
  const day = random.int(0, 6);
  const to = random.int(0, 6);
  const said = (n: number): string => (random.chance(0.3) ? DAYS[n]! : String(n + 1));
  const nth = random.int(1, 5);
  const step = random.int(1, 7 - day);
  return random.pick<Written>([
    [said(day), `${day}`],
    [`${said(day)}-${said(to)}`, `${day}-${to}`],
    [`${said(day)}/${step}`, `${day}-6/${step}`],
    [`${day + 1}#${nth}`, `${day}#${nth}`],
    [`${day + 1}L`, `${day}L`],
  ]);
}

function list(random: Random, item: () => Written): Written {
  const items = Array.from({ length: random.pick([1, 1, 2, 3]) }, item);
  return [items.map(([dialect]) => dialect).join(), items.map(([, meant]) => meant).join()];
}

/** Fields of seconds to weekday in a dialect that counts from 1 = Sunday and has `?` in one day field. */
function quartzFields(random: Random): Written[] {
  const unasked = random.pick([MONTH_DAY, WEEKDAY]);
  return [0, 1, 2, 3, 4, 5].map((index): Written => {
    if (index === unasked) return ["?", "*"];
    if (index === SECOND || random.chance(0.4)) return index === SECOND ? ["0", "0"] : ["*", "*"];
    if (index === WEEKDAY && random.chance(0.1)) return ["L", "6"];
    return list(random, () => {
      if (index === WEEKDAY) return sundayFirst(random);
      const [, text] = anItem(random, index) as [Item, string];
      return [text, text];
    });
  });
}

/** Whether two schedules occur alike over three years. */
function alike(a: Cron, b: Cron): boolean {
  const from = Date.UTC(2026, 0, 1);
  for (let at = from, steps = 0; steps < 400 && at < Date.UTC(2029, 0); steps++) {
    const next = a.nextMs(at);
    if (next !== b.nextMs(at)) return false;
    if (next === null) return true;
    // Every second step goes on from somewhere else, so that dense schedules are seen over the years too.
    at = steps % 2 ? next : next + ((steps * 2_654_435_761) % 86_400_000);
  }
  return true;
}

describe("a suggestion occurs as was meant", () => {
  it.each(["cron(minute first)", "minute first, year last", "seconds first, year last"])(
    "for 5,000 random expressions, %s",
    (order) => {
      const random = new Random(order.length);
      let suggested = 0;
      for (let i = 0; i < 5_000; i++) {
        const fields = quartzFields(random);
        const meant = new Cron(fields.map(([, text]) => text).join(" "));
        const dialect = fields.map(([text]) => text);
        const year = random.pick(["*", "2027", "2026-2028"]);
        const expression = order[0] === "s" ? [...dialect, year].join(" ") : [...dialect.slice(1), year].join(" ");
        const text = order[0] === "c" ? `cron(${expression})` : expression;
        const found = suggestion(text);
        //
        if (found === undefined) continue;
        suggested++;
        expect(found.startAt?.slice(0, 4), text).toBe(year === "*" ? undefined : year.slice(0, 4));
        expect(found.endAt?.slice(0, 4), text).toBe(year === "*" ? undefined : year.slice(-4));
        if (!alike(new Cron(found.text), meant)) expect.fail(`${text}: ${found.text} is not ${meant.text}`);
      }
      expect(suggested).toBe(5_000);
    },
  );
});
