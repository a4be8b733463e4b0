/** A server of the chaos run, on stdio. */
import { AsyncToolServer, OperationResourceStrategy } from "../mod.ts";
import { openStore } from "./store.ts";
import { step } from "./job.ts";

const [name = "", place = ""] = Deno.args;
const server = new AsyncToolServer({
  name: "chaos",
  version: "1.0.0",
  backend: await openStore(name, place),
  strategy: new OperationResourceStrategy(),
});
server.registerAsyncTool(step);
await server.run();
