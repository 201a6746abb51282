/**
 * What does an expression say, in plain English?
 *
 * It is told from the canonical text, field by field, so that `1-5` reads "Monday to Friday" and not a list of five. A
 * few fixed times are told as times of day; all else as seconds, minutes and hours.
 */
import { type CronExpression, writeExpression } from "./expression.ts";
import { canonical, FIELDS, type Field } from "./field.ts";

/** Says an expression in words: "At 09:00, Monday to Friday". */
export function describeExpression(expression: CronExpression): string {
  const said = expression.fields.map(saidField);
  const [, second, minute, hours] = /^(?:(\d+) )?(\d+) ([\d,]+) \S+ \S+ \S+$/.exec(writeExpression(expression)) ?? [];
  const times = hours
    ?.split(",")
    .map((hour) => `${hour}:${minute}${second ? `:${second}` : ""}`.replace(/\b\d\b/g, "0$&"));
  const [, , , day, month, weekday] = said.map((words) => (/^every (day|month)$/.test(words) ? "" : words));
  const clock = said.slice(said[0] === "second 0" ? 1 : 0, said[2] === "every hour" && said[1]![0] === "e" ? 2 : 3);
  const parts = [
    ...(times ? [`at ${listed(times)}`] : clock),
    day && weekday ? day + (expression.either ? " or " : " and ") + weekday : day || weekday,
    month && `in ${month}`,
  ];
  return parts
    .filter(Boolean)
    .join(", ")
    .replace(/^./, (letter) => letter.toUpperCase());
}

/** Says the items of a field, one after the other. */
function saidField(field: Field, index: number): string {
  const { name, names, min } = FIELDS[index]!;
  const unit = name.replace(/-.*/, "");
  const value = (text: string): string => names[+text - min] || text;
  const words = canonical(field, index)
    .split(",")
    .map((item) => {
      const [, from = "", to, mark, step] = /^(\*|L|\d+)(?:-(\d+))?([WL]|#[\dL])?(?:\/(\d+))?$/.exec(item)!;
      if (mark === "W") return `the ${from === "L" ? "last weekday" : `weekday nearest day ${from}`}`;
      const nth = +(mark ?? "")[1]!;
      if (mark) return `the ${nth ? nth + (["st", "nd", "rd"][nth - 1] ?? "th") : "last"} ${value(from)}`;
      if (from === "L") return `the last day${to ? ` minus ${to}` : ""}`;
      const range = from === "*" ? "" : value(from) + (to ? ` to ${value(to)}` : "");
      return (step ? `every ${step} ${unit}s${range && " from "}` : range ? "" : `every ${unit}`) + range;
    });
  return (names[0] || /^\D/.test(words[0]!) ? "" : `${unit} `) + listed(words);
}

function listed(words: readonly string[]): string {
  return words.join(", ").replace(/, ([^,]*)$/, " and $1");
}
