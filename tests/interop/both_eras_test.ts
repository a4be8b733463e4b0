/**
 * The official client of both eras with ext-tasks: whatever it speaks, the same jobs, over either transport.
 *
 * @module
 */
import { createWorker, MemoryBackend } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { PassingTime } from "../support/time.ts";
import {
  connectModernHttp,
  connectModernStdio,
  type Mode,
  type ModernConnection,
  type Person,
} from "./support/client_2026.ts";
import type { TransportName } from "./support/client.ts";
import { fixtureServer } from "./support/fixture.ts";

const MODES: { readonly [name: string]: Mode } = { pin: { pin: "2026-07-28" }, auto: "auto", legacy: "legacy" };

/** A 2025-11-25 client has to ask for a task. */
const AS_TASK = { task: { preference: "prefer" } } as const;

type Connect = (person?: Person) => Promise<ModernConnection>;

/** What every mode shows over every transport. */
const CASES: { readonly [name: string]: (connect: Connect, era: "legacy" | "modern") => Promise<void> } = {
  async "a call becomes a task, and its result comes"(connect, era) {
    await using connection = await connect();
    assertEquals(connection.client.getProtocolEra(), era);
    await using execution = await connection.tasks.callTool("hold", { gate: `result-${era}` }, AS_TASK);
    assertEquals(execution.kind, "task");
    await connection.client.callTool({ name: "open_gate", arguments: { gate: `result-${era}` } });
    const { outcome } = await execution.settle();
    assertEquals(outcome.status, "completed");
    assertEquals(structured(outcome), { said: "opened" });
  },

  async "a job's question reaches the person, once, and the answer the job"(connect) {
    const asked: string[] = [];
    await using connection = await connect((message) => {
      asked.push(message);
      return { action: "accept", content: { name: "Ada" } };
    });
    await using execution = await connection.tasks.callTool("ask", {}, AS_TASK);
    const { outcome } = await execution.settle();
    assertEquals(structured(outcome), { action: "accept", content: { name: "Ada" } });
    assertEquals(asked, ["What is your name?"]);
  },

  async "a job's question reaches the person, too, where the client leaves it to the server what a call becomes"(
    connect,
  ) {
    await using connection = await connect(() => ({ action: "accept", content: { name: "Ada" } }));
    await using execution = await connection.tasks.callTool("ask", {});
    const { outcome } = await execution.settle();
    assertEquals(structured(outcome), { action: "accept", content: { name: "Ada" } });
  },

  async "a task is cancelled"(connect, era) {
    await using connection = await connect();
    await using execution = await connection.tasks.callTool("hold", { gate: `cancel-${era}` }, AS_TASK);
    await execution.cancel();
    const { outcome } = await execution.settle();
    assertEquals(outcome.status, "cancelled");
  },

  async "a task whose result is too large for a message ends with an answer that names its resource"(connect) {
    await using connection = await connect();
    await using execution = await connection.tasks.callTool("big", { size: 2_000_000 }, AS_TASK);
    const { outcome } = await execution.settle();
    assertEquals(outcome.status, "completed");
    assertStringIncludes(JSON.stringify(outcome), "Read the resource mcp://results/big/");
  },

  async "a job that throws ends its task in the words of the era"(connect, era) {
    await using connection = await connect();
    await using execution = await connection.tasks.callTool("fail", { what: "tool_error" }, AS_TASK);
    const { outcome } = await execution.settle();
    assertEquals(outcome.status, era === "modern" ? "completed" : "failed");
    assertStringIncludes(
      JSON.stringify(outcome, (_, value) => value instanceof Error ? value.message : value),
      "declined",
    );
  },
};

function structured(outcome: object): unknown {
  assert("result" in outcome, JSON.stringify(outcome));
  return Reflect.get(outcome.result as object, "structuredContent");
}

/** Serves the fixture over HTTP without a network, which fake time would not wait for. */
async function serveInPlace() {
  const backend = new MemoryBackend();
  const server = fixtureServer("operation", backend);
  const worker = createWorker(backend, server.registry.list().map(({ job }) => job), { concurrency: 16 });
  await worker.ready;
  const url = new URL("http://localhost/mcp");
  return {
    connect: (mode: Mode, person?: Person) => {
      const fetch = (to: string | URL, init?: RequestInit) => {
        const headers = new Headers(init?.headers);
        headers.set("host", url.host);
        return server.fetch(new Request(to, { ...init, headers }));
      };
      return connectModernHttp(url, mode, person, fetch);
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await worker.close(0);
      await backend.close();
    },
  };
}

for (const transport of ["stdio", "http"] satisfies TransportName[]) {
  for (const [name, mode] of Object.entries(MODES)) {
    Deno.test(`the client of both eras, ${name}, over ${transport}`, async (t) => {
      await using _time = new PassingTime(); // Client and server are in this process, so no poll waits for real time.
      await using http = transport === "http" ? await serveInPlace() : undefined;
      const connect: Connect = (person) =>
        http ? http.connect(mode, person) : connectModernStdio("operation", mode, person);
      for (const [title, run] of Object.entries(CASES)) {
        await t.step(title, () => run(connect, mode === "legacy" ? "legacy" : "modern"));
      }
    });
  }
}
