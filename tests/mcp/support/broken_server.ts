/**
 * A server over stdio whose backend has a defect.
 *
 * @module
 */
import type { TaskPage } from "../../../backend.ts";
import { AsyncToolServer, MemoryBackend, OperationResourceStrategy } from "../../../mod.ts";

class Broken extends MemoryBackend {
  override list(): Promise<TaskPage> {
    return Promise.reject(new Error("the secret of the store"));
  }
}

const server = new AsyncToolServer({
  name: "broken",
  version: "1.0.0",
  backend: new Broken(),
  strategy: new OperationResourceStrategy(),
});
server.asyncTool({ name: "echo", input: { type: "object" } }, (input) => input);
await server.run();
