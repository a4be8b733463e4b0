import { AsyncToolServer, createWorker, MemoryBackend } from "../../../../mod.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, assertMatch } from "../../../../tools/std.ts";
import { PassingTime } from "../../../support/time.ts";
import { Events, Raw } from "../support/raw.ts";

const HOLD = { name: "hold", arguments: {} };
const HELD = { held: true };
const NEXT = /^Call task_status with this token and wait_seconds 4;/;

/** A server with a job that runs until it is released, in a time that passes by itself. */
class Holding implements AsyncDisposable {
  readonly #time = new PassingTime();
  readonly #backend = new MemoryBackend();
  readonly #server = new AsyncToolServer({ name: "holding", version: "1.0.0", backend: this.#backend, onError() {} });
  readonly #gate = Promise.withResolvers<void>();
  readonly #worker;
  runs = 0;

  constructor() {
    this.#server.asyncTool({ name: "hold", input: { type: "object" } }, async () => {
      this.runs++;
      await this.#gate.promise;
      return HELD;
    });
    this.#worker = createWorker(this.#backend, this.#server.registry.list().map(({ job }) => job));
  }

  client(): Promise<Raw> {
    return Raw.open(this.#server.fetch);
  }

  release(): void {
    this.#gate.resolve();
  }

  /** Calls again, and resolves with how long the call has waited for its handle, in ms. Releases the job then. */
  async waitForHandle(client: Raw): Promise<number> {
    const since = Date.now();
    await client.ask("tools/call", HOLD);
    const waited = Date.now() - since;
    this.release();
    await pause(1_000); // Until it is written that no call waits any more.
    return waited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
    await this.#backend.close();
    await this.#time[Symbol.asyncDispose]();
  }
}

Deno.test("a client of 2025-11-25 that gives up without a word, and keeps the stream of its call open, gets the handle of its task when it calls again", async () => {
  await using holding = new Holding();
  const raw = await holding.client();
  await using first = new Events(await raw.post("tools/call", HOLD));
  await pause(6_000);
  const since = Date.now();
  const { result } = await raw.ask("tools/call", HOLD);
  assertEquals(Date.now() - since, 4_250);
  assertMatch(`${result.structuredContent?.next}`, NEXT);
  assertEquals(holding.runs, 1);
  // Another client of the same owner has a task of its own.
  const other = await holding.client();
  await using second = new Events(await other.post("tools/call", HOLD));
  await pause(5_000);
  holding.release();
  assertEquals(holding.runs, 2);
  for (const call of [first, second]) assertEquals((await call.message()).result.structuredContent, HELD);
  await pause(1_000); // Until it is written that no call waits any more.
});

for (
  const [limit, wait] of [[4_500, 4_000], [15_000, 12_000]] as const
) {
  Deno.test(`a client of 2025-11-25 that closes the stream of its call after ${limit} ms gets the handle of its task ${wait} ms after it calls again`, async () => {
    await using holding = new Holding();
    const raw = await holding.client();
    {
      await using _first = new Events(await raw.post("tools/call", HOLD));
      await pause(limit);
    }
    await pause(2_000); // The model thinks.
    const since = Date.now();
    const { result } = await raw.ask("tools/call", HOLD);
    assertEquals(Date.now() - since, wait);
    assertEquals(
      result.structuredContent?.next,
      `Call task_status with this token and wait_seconds ${
        wait / 1_000
      }; it returns the result once the job has ended.`,
    );
    holding.release();
    const { token } = result.structuredContent ?? {};
    const status = await raw.ask("tools/call", { name: "task_status", arguments: { token } });
    assertEquals([status.result.structuredContent?.result, holding.runs], [HELD, 1]);
  });
}

Deno.test("a client of 2025-11-25 that resumes the stream of its call, and closes it at its time limit, gets its handle in time when it calls again", async () => {
  await using holding = new Holding();
  const raw = await holding.client();
  let last: string | undefined;
  {
    await using first = new Events(await raw.post("tools/call", HOLD));
    last = (await first.next())?.id;
    await pause(1_000);
  }
  {
    await using _resumed = await raw.listen(last);
    await pause(14_000);
  }
  assertEquals([await holding.waitForHandle(raw), holding.runs], [12_000, 1]);
});

Deno.test("a client of 2025-11-25 whose stream is cut long before any client gives up waits as long as others when it calls again", async () => {
  await using holding = new Holding();
  const raw = await holding.client();
  {
    await using _first = new Events(await raw.post("tools/call", HOLD));
    await pause(1_000);
  }
  await pause(5_000);
  assertEquals([await holding.waitForHandle(raw), holding.runs], [25_000, 1]);
});
