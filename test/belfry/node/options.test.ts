/**
 * Every options object refuses keys that it does not know, with the nearest known one, and values that do not fit, before
 * anything is done. Which options objects there are is found by the type checker, so that a new one without its check,
 * and a new place that takes a known one, fail here.
 */
import { describe, expect, it } from "vitest";
import { RequestError } from "../../../adapters/client.ts";
import { BelfryError } from "../../../mod.ts";
import { type FoundOption, findOptions, type ValueKind } from "./options_finder.ts";
import { type Row, type Scene, scene } from "./options_scene.ts";
import { EXEMPT, TABLE } from "./options_table.ts";

const found = findOptions();

/** Values of each kind that no option takes unless its type names the kind. */
const WRONG: Readonly<Record<Exclude<ValueKind, "anything">, unknown>> = {
  string: "\u0007 is no word",
  number: 0.5,
  boolean: true,
  null: null,
  object: { colour: 1 },
  array: [{}],
  function: () => {},
};

/** Values that do not fit an option: those of kinds that its type does not name, and no number at all. */
function wrongFor({ kinds }: FoundOption): unknown[] {
  if (kinds.has("anything")) return [];
  const others = Object.entries(WRONG).filter(([kind]) => !kinds.has(kind as ValueKind));
  return [...others.map(([, value]) => value), ...(kinds.has("number") ? [Number.NaN] : [])];
}

async function refusal(call: Row["places"][string], options: object, on: Scene): Promise<unknown> {
  try {
    await call(options as never, on);
    return "it was taken";
  } catch (error) {
    return error;
  }
}

describe("options objects", () => {
  it("that exist are all in the table, with every place that takes them", () => {
    const names = found.map((one) => one.name).filter((name) => !(name in EXEMPT));
    expect(Object.keys(TABLE).sort()).toEqual(names.sort());
    for (const { name, places } of found) {
      const row = TABLE[name];
      if (row) expect({ [name]: Object.keys(row.places).sort() }).toEqual({ [name]: [...places].sort() });
    }
    expect(Object.keys(EXEMPT).filter((name) => !found.some((one) => one.name === name))).toEqual([]);
  });
});

for (const { name, options } of found) {
  const row = TABLE[name];
  if (!row) continue;
  describe(name, () => {
    it.each(Object.entries(row.places))(
      "%s refuses unknown keys, with the near name, and values that do not fit",
      async (place, call) => {
        const on = await scene();
        const taken = await refusal(call, row.valid, await scene());
        expect(taken, "what fits is taken").toBe("it was taken");
        const wrong: string[] = [];
        const expectRefusal = async (bad: object, what: string, says: RegExp): Promise<void> => {
          const error = await refusal(call, { ...row.valid, ...bad }, on);
          // `belfry/cron` stays small: an instant or a Temporal that is none is an error of the language there.
          if ((error instanceof RangeError || error instanceof TypeError) && name === "CronOptions") return;
          if (!(error instanceof BelfryError || isRefusal(error))) wrong.push(`${what}: ${String(error)}`);
          else if (!says.test(error.message)) wrong.push(`${what}: ${error.message}`);
        };
        await expectRefusal({ colour: 1 }, "an unknown key", /colour/);
        for (const option of options) {
          const misspelt = option.name + option.name.at(-1);
          await expectRefusal(
            { [misspelt]: row.valid[option.name as never] ?? 1 },
            misspelt,
            // The server names the key alone.
            new RegExp(place.startsWith("Client") ? misspelt : `did you mean "?${option.name}"?\\?`),
          );
          for (const value of wrongFor(option)) {
            if (name === "CronOptions" && option.name === "temporal" && value === null) continue; // as none
            await expectRefusal({ [option.name]: value }, `${option.name}: ${describeValue(value)}`, /./);
          }
        }
        expect(wrong).toEqual([]);
        await on.t.close();
      },
    );
  });
}

/** A refusal of the server, which names the key in its issues. */
function isRefusal(error: unknown): error is RequestError {
  if (!(error instanceof RequestError) || error.status < 400 || error.status > 422) return false;
  error.message += JSON.stringify(error.problem?.issues ?? []);
  return true;
}

function describeValue(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
