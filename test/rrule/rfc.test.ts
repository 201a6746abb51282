/** Do the examples of RFC 5545 give the dates that stand beside them there (section 3.8.5.3)? All are in New York. */
import { describe, expect, it } from "vitest";
import { Cron } from "../../src/cron/mod.ts";
import { Recurrence } from "../../src/rrule/mod.ts";

const timeZone = "America/New_York";

/** The instant of a local time, found by the cron room. */
function local(day: string, time = "09:00"): Date {
  const [year, month, date] = day.split("-").map(Number);
  const [hour, minute] = time.split(":").map(Number);
  const cron = new Cron(`${minute} ${hour} ${date} ${month} *`, { timeZone });
  return cron.next(Date.UTC(year!, month! - 1, date! - 2))!;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Reads "1997: Sep 2,4,6-8; Oct 2 | 1998: Jan 1", as the RFC writes it. */
function dates(text: string): string[] {
  return text.split(" | ").flatMap((year) => {
    const [number, months] = year.split(": ");
    return months!.split("; ").flatMap((month) => {
      const [name, days] = month.split(" ");
      return days!.split(",").flatMap((range) => {
        const [from, to = from] = range.split("-").map(Number);
        const count = to! - from! + 1;
        return Array.from({ length: count }, (_, i) => `${number}-${MONTHS.indexOf(name!) + 1}-${from! + i}`);
      });
    });
  });
}

const JANUARIES = "1998: Jan 1-31 | 1999: Jan 1-31 | 2000: Jan 1-31";
const TUESDAYS_THURSDAYS = "1997: Sep 2,4,9,11,16,18,23,25,30; Oct 2";

describe("the examples of RFC 5545", () => {
  it.each([
    ["1997-9-2", "FREQ=DAILY;COUNT=10", "1997: Sep 2-11", "end"],
    ["1997-9-2", "FREQ=DAILY;UNTIL=19971224T000000Z", "1997: Sep 2-30; Oct 1-31; Nov 1-30; Dec 1-23", "end"],
    ["1997-9-2", "FREQ=DAILY;INTERVAL=2", "1997: Sep 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30; Oct 2,4,6", ""],
    ["1997-9-2", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997: Sep 2,12,22; Oct 2,12", "end"],
    ["1998-1-1", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", JANUARIES, "end"],
    ["1998-1-1", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", JANUARIES, "end"],
    ["1997-9-2", "FREQ=WEEKLY;COUNT=10", "1997: Sep 2,9,16,23,30; Oct 7,14,21,28; Nov 4", "end"],
    [
      "1997-9-2",
      "FREQ=WEEKLY;UNTIL=19971224T000000Z",
      "1997: Sep 2,9,16,23,30; Oct 7,14,21,28; Nov 4,11,18,25; Dec 2,9,16,23",
      "end",
    ],
    [
      "1997-9-2",
      "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
      "1997: Sep 2,16,30; Oct 14,28; Nov 11,25; Dec 9,23 | 1998: Jan 6,20; Feb 3,17",
      "",
    ],
    ["1997-9-2", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", TUESDAYS_THURSDAYS, "end"],
    ["1997-9-2", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", TUESDAYS_THURSDAYS, "end"],
    [
      "1997-9-1",
      "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
      "1997: Sep 1,3,5,15,17,19,29; Oct 1,3,13,15,17,27,29,31; Nov 10,12,14,24,26,28; Dec 8,10,12,22",
      "end",
    ],
    ["1997-9-2", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997: Sep 2,4,16,18,30; Oct 2,14,16", "end"],
    [
      "1997-9-5",
      "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
      "1997: Sep 5; Oct 3; Nov 7; Dec 5 | 1998: Jan 2; Feb 6; Mar 6; Apr 3; May 1; Jun 5",
      "end",
    ],
    ["1997-9-5", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997: Sep 5; Oct 3; Nov 7; Dec 5", "end"],
    [
      "1997-9-7",
      "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
      "1997: Sep 7,28; Nov 2,30 | 1998: Jan 4,25; Mar 1,29; May 3,31",
      "end",
    ],
    [
      "1997-9-22",
      "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
      "1997: Sep 22; Oct 20; Nov 17; Dec 22 | 1998: Jan 19; Feb 16",
      "end",
    ],
    ["1997-9-28", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997: Sep 28; Oct 29; Nov 28; Dec 29 | 1998: Jan 29; Feb 26", ""],
    [
      "1997-9-2",
      "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
      "1997: Sep 2,15; Oct 2,15; Nov 2,15; Dec 2,15 | 1998: Jan 2,15",
      "end",
    ],
    [
      "1997-9-30",
      "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
      "1997: Sep 30; Oct 1,31; Nov 1,30; Dec 1,31 | 1998: Jan 1,31; Feb 1",
      "end",
    ],
    [
      "1997-9-10",
      "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
      "1997: Sep 10-15 | 1999: Mar 10-13",
      "end",
    ],
    [
      "1997-9-2",
      "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
      "1997: Sep 2,9,16,23,30; Nov 4,11,18,25 | 1998: Jan 6,13,20,27; Mar 3,10,17,24,31",
      "",
    ],
    [
      "1997-6-10",
      "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
      [1997, 1998, 1999, 2000, 2001].map((year) => `${year}: Jun 10; Jul 10`).join(" | "),
      "end",
    ],
    [
      "1997-3-10",
      "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
      `1997: Mar 10 | ${[1999, 2001, 2003].map((year) => `${year}: Jan 10; Feb 10; Mar 10`).join(" | ")}`,
      "end",
    ],
    [
      "1997-1-1",
      "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
      "1997: Jan 1; Apr 10; Jul 19 | 2000: Jan 1; Apr 9; Jul 18 | 2003: Jan 1; Apr 10; Jul 19 | 2006: Jan 1",
      "end",
    ],
    ["1997-5-19", "FREQ=YEARLY;BYDAY=20MO", "1997: May 19 | 1998: May 18 | 1999: May 17", ""],
    ["1997-5-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997: May 12 | 1998: May 11 | 1999: May 17", ""],
    [
      "1997-3-13",
      "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
      "1997: Mar 13,20,27 | 1998: Mar 5,12,19,26 | 1999: Mar 4,11,18,25",
      "",
    ],
    [
      "1997-6-5",
      "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
      "1997: Jun 5,12,19,26; Jul 3,10,17,24,31; Aug 7,14,21,28 | 1998: Jun 4,11,18,25; Jul 2,9,16,23,30; Aug 6,13,20,27",
      "",
    ],
    [
      "1997-9-2",
      "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
      "1998: Feb 13; Mar 13; Nov 13 | 1999: Aug 13 | 2000: Oct 13",
      "",
    ],
    [
      "1997-9-13",
      "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
      "1997: Sep 13; Oct 11; Nov 8; Dec 13 | 1998: Jan 10; Feb 7; Mar 7; Apr 11; May 9; Jun 13",
      "",
    ],
    [
      "1996-11-5",
      "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
      "1996: Nov 5 | 2000: Nov 7 | 2004: Nov 2",
      "",
    ],
    ["1997-9-4", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997: Sep 4; Oct 7; Nov 6", "end"],
    [
      "1997-9-29",
      "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
      "1997: Sep 29; Oct 30; Nov 27; Dec 30 | 1998: Jan 29; Feb 26; Mar 30",
      "",
    ],
    ["1997-8-5", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997: Aug 5,10,19,24", "end"],
    ["1997-8-5", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997: Aug 5,17,19,31", "end"],
    ["2007-1-15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007: Jan 15,30; Feb 15; Mar 15,30", "end"],
  ])("from %s, %s: %s %s", (start, rule, text, end) => {
    const recurrence = new Recurrence(rule, { timeZone, start: local(start) });
    const expected = dates(text).map((day) => local(day).toISOString());
    const found = recurrence.take(expected.length + 1, 0).map((at) => at.toISOString());
    expect(found.slice(0, expected.length)).toEqual(expected);
    expect(found.length).toBe(expected.length + (end ? 0 : 1));
    // The same backwards.
    const last = new Date(expected.at(-1)!);
    expect(recurrence.previous(last.getTime() + 1)).toEqual(last);
    expect(recurrence.previous(last)?.toISOString()).toBe(expected.at(-2));
    expect(recurrence.previous(new Date(expected[0]!))).toBeNull();
    expect(new Recurrence(recurrence.text, { timeZone, start: local(start) }).take(20, 0)).toEqual(
      recurrence.take(20, 0),
    );
  });

  const HALF_DAY = Array.from({ length: 24 }, (_, i) => `${9 + Math.floor(i / 3)}:${["00", "20", "40"][i % 3]}`);

  it.each([
    ["FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z", ["9:00", "12:00"], "end"],
    ["FREQ=MINUTELY;INTERVAL=15;COUNT=6", ["9:00", "9:15", "9:30", "9:45", "10:00", "10:15"], "end"],
    ["FREQ=MINUTELY;INTERVAL=90;COUNT=4", ["9:00", "10:30", "12:00", "13:30"], "end"],
    ["FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", HALF_DAY, ""],
    ["FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", HALF_DAY, ""],
  ])("%s on 2 September 1997: %j %s", (rule, times, end) => {
    const recurrence = new Recurrence(rule, { timeZone, start: local("1997-9-2") });
    const found = recurrence.take(times.length + 1, 0).map(Number);
    expect(found.slice(0, times.length)).toEqual(times.map((time) => local("1997-9-2", time).getTime()));
    if (end) expect(found).toHaveLength(times.length);
    else expect(found.at(-1)).toBe(local("1997-9-3").getTime());
  });
});
