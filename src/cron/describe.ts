/**
 * How is an expression described in plain English?
 *
 * The description is made from the values that were read, not from the text, so two expressions with the same
 * description have the same occurrences. "Every 15 minutes" is used only for a step that divides the hour; where a step
 * starts again in each hour or month (45 minutes, 14 days), the values are listed. Fixed times become times of day.
 */
import type { CronExpression } from "./expression.ts";
import { FIELDS, type Field, MONTH_DAY, WEEKDAY } from "./field.ts";

/** Says an expression in words: "At 09:00, Monday to Friday". */
export function describeExpression({ fields, either }: CronExpression): string {
  const [second, minute, hour, day, month, weekday] = fields.map(saidField) as [Said, Said, Said, Said, Said, Said];
  const parts: string[] = [];
  if (/^second \d+;minute \d+;hour [\d,]+$/.test([second, minute, hour].join(";"))) {
    const times = hour.map((at) => `${[at, minute, second].map(twoDigits).join(":")}`.replace(/(:.*):00/, "$1"));
    parts.push(`at ${listed(times)}`);
  } else {
    for (const [index, items] of [second, minute, hour].entries()) {
      if (`${items}` === "second 0") continue;
      // What is said of every minute need not be said of every hour.
      if (items[0]) parts.push(listed(items));
      else if (!parts.at(-1)?.startsWith("every")) parts.push(`every ${FIELDS[index]!.name}`);
    }
  }
  if (!day[0] || !weekday[0]) parts.push(either ? "" : listed([...day, ...weekday]));
  else if (either) parts.push(`${listed(day)} or ${listed(weekday)}`);
  else parts.push(listed(weekday, "or"), `if it is ${listed(day, "or")}`);
  if (month[0]) parts.push(`in ${listed(month)}`);
  return parts
    .filter(Boolean)
    .join(", ")
    .replace(/^./, (letter) => letter.toUpperCase());
}

/** What is said of a field, item by item; nothing where every value is meant. */
type Said = readonly string[];

function saidField({ low, high, last, near, nth }: Field, index: number): Said {
  const { name, names, min, max } = FIELDS[index]!;
  const unit = name.replace(/-.*/, "");
  const size = (index === WEEKDAY ? 6 : max) - min + 1;
  // Values are counted from the smallest here, so that a range that wraps is a matter of remainders.
  const has = (at: number): number => (at + min < 32 ? low >>> (at + min) : high >>> (at + min - 32)) & 1;
  const values = Array.from({ length: size }, (_, at) => at).filter(has);
  const { length, 0: first = 0 } = values;
  if (length === size) return [];
  const step = values[1]! - first;
  const end = values[length - 1]!;
  const goesOn = end + step >= size;
  const said = (at: number): string => names[at % size] ?? `${(at % size) + min}`;
  const items: string[] = [];
  if (
    step > 1 &&
    values.every((at, i) => at === first + i * step) &&
    (index === MONTH_DAY
      ? goesOn && length > 2
      : index < 3 && size % step === 0 && (length > 2 || (goesOn && first < step)))
  ) {
    items.push(
      index === MONTH_DAY
        ? `every ${ordinal(step)} day of the month from ${first + min}${length < 6 ? ` (${values.map(said).join(", ")})` : ""}`
        : `every ${step} ${unit}s${first || !goesOn ? ` from ${first}` : ""}${goesOn ? "" : ` to ${end}`}`,
    );
  } else {
    for (const at of values) {
      let start = at + size;
      while (has((start - 1) % size)) start--;
      let count = 1;
      while (has((start + count) % size)) count++;
      if (count < 3) items.push(said(at));
      else if (start % size === at) items.push(`${said(start)} to ${said(start + count - 1)}`);
    }
    if (items[0] && !names[0]) items[0] = `${unit} ${items[0]}`;
  }
  for (let n = 0; n < 32; n++) {
    if ((last >>> n) & 1) items.push(`the last day${n ? ` minus ${n}` : ""}`);
    if ((near >>> n) & 1) items.push(`the ${n ? `weekday nearest day ${n}` : "last weekday"}`);
  }
  nth?.forEach((mask, n) => {
    for (let day = 0; day < 7; day++)
      if ((mask >> day) & 1) items.push(`the ${n < 5 ? ordinal(n + 1) : "last"} ${names[day]}`);
  });
  return items;
}

function ordinal(n: number): string {
  return n + (["st", "nd", "rd"][n - 1] ?? "th");
}

function listed(words: readonly string[], and = "and"): string {
  const [last = "", ...others] = words.toReversed();
  return others[0] ? `${others.reverse().join(", ")} ${and} ${last}` : last;
}

function twoDigits(item: string | Said): string {
  return `${item}`.replace(/\D+/, "").padStart(2, "0");
}
