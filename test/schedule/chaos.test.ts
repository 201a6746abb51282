import { memory } from "../../adapters/memory.ts";
import { chaosSuite } from "./chaos_suite.ts";

chaosSuite("memory", () => memory({ maxBatchRows: 5 }), 60);
