/**
 * What happens to the task of a plain call whose connection is gone, over HTTP.
 *
 * @module
 */
import {
  AsyncToolServer,
  createWorker,
  MemoryBackend,
  OperationResourceStrategy,
  type TaskInfo,
} from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { request } from "../../support/modern.ts";
import { Raw } from "../support/raw.ts";

const URL_OF_IT = new URL("http://localhost/mcp");

/** A server with three jobs that run until they are cancelled, or let go; each is named by what it says of `cancelOnDisconnect`. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly server = new AsyncToolServer({
    name: "stage",
    version: "1.0.0",
    backend: this.backend,
    strategy: new OperationResourceStrategy(),
  });
  readonly #begun = new Map<string, PromiseWithResolvers<void>>();
  readonly #ended = new Map<string, PromiseWithResolvers<TaskInfo>>();
  readonly #letGo = Promise.withResolvers<void>();

  constructor() {
    for (const [name, cancelOnDisconnect] of [["default", undefined], ["true", true], ["false", false]] as const) {
      const begun = Promise.withResolvers<void>();
      this.#begun.set(name, begun);
      this.#ended.set(name, Promise.withResolvers());
      this.server.asyncTool({ name, input: { type: "object" }, cancelOnDisconnect }, async (_, { signal }) => {
        begun.resolve();
        const stopped = new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true })
        );
        await Promise.race([this.#letGo.promise, stopped]);
      });
    }
    this.backend.watch((event) => {
      if (event.kind === "change" && "finishedAt" in event.task) this.#ended.get(event.task.job)?.resolve(event.task);
    });
    createWorker(this.backend, this.server.registry.list().map(({ job }) => job));
  }

  async begun(name: string): Promise<void> {
    await this.#begun.get(name)?.promise;
  }

  /** The status with which the task of this job ends. */
  async end(name: string): Promise<string | undefined> {
    return (await this.#ended.get(name)?.promise)?.status;
  }

  letGo(): void {
    this.#letGo.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }
}

Deno.test("2026-07-28: the task of a plain call outlives its stream, unless cancelOnDisconnect is true", async () => {
  await using stage = new Stage();
  // The last one ends as cancelled: by then the server knows of all of them.
  for (const name of ["false", "default", "true"]) {
    const { body } = await stage.server.fetch(request(URL_OF_IT, "tools/call", { name, arguments: {} }, {}));
    await stage.begun(name);
    await body?.cancel();
  }
  assertEquals(await stage.end("true"), "CANCELLED");
  stage.letGo();
  assertEquals([await stage.end("default"), await stage.end("false")], ["COMPLETED", "COMPLETED"]);
});

/** What real clients say of a call that took them too long, and what they say when a person cancels it. */
const REASONS: readonly (readonly [reason: string | undefined, status: string])[] = [
  ["McpError: MCP error -32001: Request timed out", "COMPLETED"],
  ["SdkError: Request timed out", "COMPLETED"],
  ["timed out after 5s", "COMPLETED"],
  ["Timeout", "COMPLETED"],
  ["context deadline exceeded", "COMPLETED"],
  ["request abandoned by the caller", "COMPLETED"],
  ["context canceled", "CANCELLED"],
  ["The user has pressed Stop", "CANCELLED"],
  [undefined, "CANCELLED"],
];

for (const [reason, status] of REASONS) {
  Deno.test(`a call that its client cancels with ${JSON.stringify(reason)} has a task that ends as ${status}`, async () => {
    await using stage = new Stage();
    const raw = await Raw.open(stage.server.fetch);
    const { body } = await raw.post("tools/call", { name: "default", arguments: {} });
    await stage.begun("default");
    await raw.cancel(raw.id, reason);
    await raw.ask("tools/list"); // By now a cancellation would have reached the code.
    if (status === "COMPLETED") stage.letGo();
    assertEquals(await stage.end("default"), status);
    await body?.cancel();
  });
}

Deno.test("2025-11-25: the task of a plain call outlives its session, unless cancelOnDisconnect is true", async () => {
  await using stage = new Stage();
  const raw = await Raw.open(stage.server.fetch);
  const streams: Response[] = [];
  for (const name of ["false", "default", "true"]) {
    streams.push(await raw.post("tools/call", { name, arguments: {} }));
    await stage.begun(name);
  }
  await (await raw.send({ method: "DELETE" })).body?.cancel();
  assertEquals(await stage.end("true"), "CANCELLED");
  stage.letGo();
  assertEquals([await stage.end("default"), await stage.end("false")], ["COMPLETED", "COMPLETED"]);
  for (const { body } of streams) await body?.cancel();
});

Deno.test("a server that ends cancels no plain call over HTTP, whatever cancelOnDisconnect says", async () => {
  const stage = new Stage();
  const raw = await Raw.open(stage.server.fetch);
  const streams = [
    await raw.post("tools/call", { name: "true", arguments: {} }),
    await stage.server.fetch(request(URL_OF_IT, "tools/call", { name: "default", arguments: {} }, {})),
  ];
  await Promise.all(["true", "default"].map((name) => stage.begun(name)));
  const statuses: string[] = [];
  stage.backend.watch((event) => event.kind === "change" && statuses.push(event.task.status));
  const read = Promise.all(streams.map((response) => response.text())); // The server waits for clients that do not read.
  await stage.server.close();
  assertEquals(statuses, ["PENDING", "PENDING"]);
  await read;
});
