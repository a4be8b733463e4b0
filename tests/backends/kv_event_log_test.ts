import { EventLog } from "../../src/backends/kv/event_log.ts";
import { eventKey } from "../../src/backends/kv/keys.ts";
import { assertEquals } from "../../tools/std.ts";
import { until } from "../processes.ts";

Deno.test("KV: when a process closes, the others do not read again what it has told", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  const heard: unknown[] = [];
  const path = `${folder}/jobs.kv`;
  const event = (one: unknown) => heard.push(one);
  const tell = (writer: string, number: number, text: string) =>
    kv.set(eventKey(writer, number), JSON.stringify([text]));
  const told = (task: string) => ({ kind: "change", task });
  try {
    await using _reader = await EventLog.open(kv, "reader", path, { event, ready: () => {} });
    const closing = await EventLog.open(kv, "closing", path, { event: () => {}, ready: () => {} });
    await tell("closing", 1, "said");
    closing.wake(false);
    await until(() => Promise.resolve(heard.length === 1), "the change is heard");
    await closing[Symbol.asyncDispose]();
    // Found by a poll each, which looks at all streams, in the order of their writers.
    for (let number = 1; number <= 3; number++) {
      await tell("later", number, `later ${number}`);
      await until(() => Promise.resolve(JSON.stringify(heard).includes(`later ${number}`)), "a poll has found it");
    }
    assertEquals(heard, [told("said"), ...[1, 2, 3].map((number) => told(`later ${number}`))]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
