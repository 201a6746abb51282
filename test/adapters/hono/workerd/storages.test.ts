/** The app's suite in real workerd, on D1 and inside of Durable Objects. */
import { d1 } from "../../../../adapters/d1.ts";
import { durableObject } from "../../../../adapters/durable_object.ts";
import { untimed } from "../kit.ts";
import { appSuite } from "../suite.ts";
import { bell, env, runInDurableObject } from "./bindings.ts";

let count = 0;

appSuite("D1", (test) => test(untimed(d1(env.DB, { prefix: `t${++count}_` }))));

appSuite("a Durable Object", (test) =>
  runInDurableObject(bell(`suite-${++count}`), (_bell, state) =>
    test(durableObject(state.storage, { prefix: "suite_" })),
  ),
);
