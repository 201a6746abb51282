/** The app's suite on the memory storage: what every runtime runs. */
import { memory } from "../../../adapters/memory.ts";
import { appSuite } from "./suite.ts";

appSuite("memory", (test) => test(memory()));
