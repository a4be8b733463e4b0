import type { StreamStore } from "../../backend.ts";
import { BullMqBackend, DenoKvBackend, MemoryBackend, PostgresBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";

const HOUR = 3_600_000;

async function exercise(streams: StreamStore): Promise<void> {
  const texts = ["one", '"é 💥"', "x".repeat(200_000), "four"];
  const ids = texts.map(() => newTaskId());
  for (const [index, id] of ids.entries()) await streams.append("a", { id, text: texts[index] ?? "" }, HOUR);
  await streams.append("a b", { id: newTaskId(), text: "another stream's" }, HOUR);
  const events = ids.map((id, index) => ({ id, text: texts[index] ?? "" }));
  assertEquals(await streams.readAfter("a", ""), events);
  assertEquals(await streams.readAfter("a", ids[1] ?? ""), events.slice(2));
  assertEquals(await streams.readAfter("a", ids[3] ?? ""), []);
  assertEquals(await streams.readAfter("nobody's", ""), []);
  await streams.append("b", { id: ids[0] ?? "", text: "the same id" }, HOUR);
  assertEquals((await streams.readAfter("a", "")).length, 4);
  await streams.append("old", { id: newTaskId(), text: "expired" }, 1);
  await until(async () => (await streams.readAfter("old", "")).length === 0, "it has expired");
  await streams.clear("a");
  assertEquals(await streams.readAfter("a", ""), []);
  assertEquals((await streams.readAfter("a b", "")).length, 1);
}

Deno.test("streams in memory give back what came after an event, in order, until it expires", async () => {
  await using backend = new MemoryBackend();
  await exercise(backend.streams);
});

Deno.test("streams in memory hold at most 32 MiB; the oldest goes first", async () => {
  await using backend = new MemoryBackend();
  const text = "x".repeat(1024 * 1024);
  const ids = Array.from({ length: 40 }, () => newTaskId());
  for (const id of ids) await backend.streams.append("a", { id, text }, HOUR);
  assertEquals((await backend.streams.readAfter("a", "")).map(({ id }) => id), ids.slice(8));
});

Deno.test("streams in KV give the same, also to another process", async () => {
  const folder = await Deno.makeTempDir();
  {
    await using backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
    await exercise(backend.streams);
    await backend.streams.append("kept", { id: newTaskId(), text: "after a restart" }, HOUR);
  }
  await using again = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
  assertEquals((await again.streams.readAfter("kept", "")).map(({ text }) => text), ["after a restart"]);
  await again.close();
  await Deno.remove(folder, { recursive: true });
});

testUnless(noRedis, "streams on Redis give the same, also to another process", async () => {
  await using redis = await openRedis();
  const options = { redis: redis.url, prefix: `mcp-jobs-test-${crypto.randomUUID()}` };
  await using backend = await BullMqBackend.connect(options);
  await using other = await BullMqBackend.connect(options);
  assert(backend.streams && other.streams);
  await exercise(backend.streams);
  await backend.streams.append("kept", { id: newTaskId(), text: "for all" }, HOUR);
  assertEquals((await other.streams.readAfter("kept", "")).map(({ text }) => text), ["for all"]);
});

testUnless(noPostgres, "streams in PostgreSQL give the same, also to another process", async () => {
  await using server = await PostgresServer.start();
  const url = await server.makeDatabase();
  await PostgresBackend.migrate({ url });
  await using backend = await PostgresBackend.connect({ url });
  await using other = await PostgresBackend.connect({ url });
  await exercise(backend.streams);
  await backend.streams.append("kept", { id: newTaskId(), text: "for all" }, HOUR);
  assertEquals((await other.streams.readAfter("kept", "")).map(({ text }) => text), ["for all"]);
});
