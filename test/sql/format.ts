/**
 * How is SQL laid out so that a reviewer can read and diff it? One clause per line, as deep as its parentheses.
 *
 * What fits into a line stays in one. Otherwise a statement is broken before its clauses, and a clause behind its
 * commas and before its AND and OR. A parenthesis or a CASE that is still too long is laid out in the same way, one
 * step further in.
 */

const WIDTH = 100;
const STEP = "  ";

/** A word, or what stands within parentheses or between CASE and END. */
type Node = string | Group;

interface Group {
  readonly open: "(" | "CASE";
  readonly close: ")" | "END";
  readonly inside: readonly Node[];
}

/** Keywords that begin a line; those of two words are made one word first. */
const CLAUSES = new Set(
  (
    "SELECT,FROM,WHERE,SET,VALUES,UPDATE,INSERT INTO,DELETE FROM,WITH,WITH RECURSIVE,ORDER BY,GROUP BY,LIMIT,RETURNING,UNION," +
    "UNION ALL,JOIN,LEFT JOIN,CROSS JOIN,FOR UPDATE,FOR SHARE,ON CONFLICT,DO UPDATE,WHEN,ELSE"
  ).split(","),
);

/** Lays out a statement. */
export function format(sql: string): string {
  return layOut(parse(sql.match(/'(?:[^']|'')*'|[(),]|[^\s(),]+/g) ?? [], { at: 0 }, null), "");
}

/** Reads words up to the one that closes a group. */
function parse(words: readonly string[], cursor: { at: number }, close: ")" | "END" | null): Node[] {
  const nodes: Node[] = [];
  while (cursor.at < words.length) {
    const word = words[cursor.at++]!;
    if (word === close) break;
    const last = nodes.at(-1);
    const both = `${typeof last === "string" ? last : ""} ${word}`;
    if (word === "(") nodes.push({ open: "(", close: ")", inside: parse(words, cursor, ")") });
    else if (word === "CASE") nodes.push({ open: "CASE", close: "END", inside: parse(words, cursor, "END") });
    else if (CLAUSES.has(both) || both === "ROWS FROM") nodes[nodes.length - 1] = both;
    else nodes.push(word);
  }
  return nodes;
}

/** Nodes in one line. */
function inLine(nodes: readonly Node[]): string {
  let text = "";
  for (const node of nodes) {
    const spaced = text !== "" && node !== "," && (typeof node === "string" || node.open === "CASE" || !isCall(text));
    text += `${spaced ? " " : ""}${typeof node === "string" ? node : groupInLine(node)}`;
  }
  return text;
}

function groupInLine({ open, close, inside }: Group): string {
  return open === "(" ? `(${inLine(inside)})` : `${open} ${inLine(inside)} ${close}`;
}

/** Whether a parenthesis behind the text holds the arguments of a function. */
function isCall(text: string): boolean {
  return /(^|[\s(])([a-z_]+|CAST|COALESCE|LEAST)$/.test(text) && !/ (INTO|WITH) [a-z_]+$/.test(text);
}

/** Nodes in as many lines as they need. */
function layOut(nodes: readonly Node[], indent: string): string {
  const line = indent + inLine(nodes);
  if (line.length <= WIDTH) return line;
  const clauses = split(nodes, (node) => typeof node === "string" && CLAUSES.has(node));
  if (clauses.length > 1) return clauses.map((clause) => layOut(clause, indent)).join("\n");
  const items = itemsOf(nodes);
  if (items.length === 1) return opened(nodes, indent);
  const [keyword, ...first] = items[0]!;
  const further = typeof keyword === "string" && CLAUSES.has(keyword) ? indent + STEP : indent;
  // A first item that needs lines of its own leaves the keyword alone in the line above.
  if (further !== indent && (further + inLine(first)).length > WIDTH) {
    return `${indent}${keyword as string}\n${layOut([...first, ...items.slice(1).flat()], further)}`;
  }
  const lines: string[] = [];
  let row: Node[] = [];
  const end = (): void => {
    if (row.length > 0) lines.push(layOut(row, lines.length === 0 ? indent : further));
    row = [];
  };
  for (const item of items) {
    // Plain names share lines, everything else has one of its own.
    const plain = [...row, ...item].every((node) => typeof node === "string" && node !== "AND" && node !== "OR");
    if (!plain || (further + inLine([...row, ...item])).length > WIDTH) end();
    row.push(...item);
    if (!plain) end();
  }
  end();
  return lines.join("\n");
}

/** The items of a clause: behind each comma, before each AND and OR. */
function itemsOf(nodes: readonly Node[]): Node[][] {
  return split(nodes, (node, before) => node === "AND" || node === "OR" || before === ",");
}

/** Splits before the nodes that begin something. */
function split(nodes: readonly Node[], begins: (node: Node, before: Node | undefined) => boolean): Node[][] {
  const parts: Node[][] = [[]];
  for (const [i, node] of nodes.entries()) {
    if (i > 0 && begins(node, nodes[i - 1])) parts.push([]);
    parts.at(-1)!.push(node);
  }
  return parts;
}

/** An item that no comma splits: its longest group is opened. */
function opened(nodes: readonly Node[], indent: string): string {
  const lengths = nodes.map((node) => (typeof node === "string" ? 0 : groupInLine(node).length));
  const longest = Math.max(...lengths);
  if (longest === 0) return indent + inLine(nodes);
  const at = lengths.indexOf(longest);
  const { open, close, inside } = nodes[at] as Group;
  const before = inLine(nodes.slice(0, at));
  const head = `${before}${before === "" || (open === "(" && isCall(before)) ? "" : " "}${open}`;
  const after = inLine([close, ...nodes.slice(at + 1)]);
  return `${indent}${head}\n${layOut(inside, indent + STEP)}\n${indent}${after}`;
}
