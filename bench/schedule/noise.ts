/** Writes rows that have nothing to do with Belfry into a SQLite file, so many a second, until it is killed. */
import { DatabaseSync } from "node:sqlite";

const [path = "", rate = "500"] = process.argv.slice(2);
const db = new DatabaseSync(path, { timeout: 5_000 });
db.exec("PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS noise (id INTEGER PRIMARY KEY, text TEXT)");
const insert = db.prepare("INSERT INTO noise (text) VALUES (?)");
let done = 0;
const from = performance.now();
setInterval(() => {
  for (const due = ((performance.now() - from) / 1_000) * Number(rate); done < due; done++) insert.run("unrelated");
}, 4);
console.log("started");
