import { memory } from "../../adapters/memory.ts";
import { policiesSuite } from "./policies_suite.ts";

policiesSuite("memory", () => memory());
