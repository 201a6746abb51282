/** The policies and the chaos again, on SQLite. */
import { sqlite } from "../../../adapters/sqlite.ts";
import { chaosSuite } from "../chaos_suite.ts";
import { policiesSuite } from "../policies_suite.ts";

policiesSuite("sqlite", () => sqlite(":memory:"));
chaosSuite("sqlite", () => sqlite(":memory:"), 15);
