import type { StreamStore } from "../../backend.ts";
import { BullMqBackend, DenoKvBackend, MemoryBackend, PostgresBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { TempFolder } from "../support/temp_folder.ts";

const HOUR = 3_600_000;

/** Appends a message that is read until its time is over; the kit has the rest. */
async function expires(streams: StreamStore): Promise<void> {
  await streams.append("old", { id: newTaskId(), text: "expired" }, 1);
  await streams.append("kept", { id: newTaskId(), text: "for an hour" }, HOUR);
  await until(async () => (await streams.readAfter("old", "")).length === 0, "it has expired");
  assertEquals((await streams.readAfter("kept", "")).map(({ text }) => text), ["for an hour"]);
}

Deno.test("streams in memory keep a message until it expires", async () => {
  await using backend = new MemoryBackend();
  await expires(backend.streams);
});

Deno.test("streams in memory hold at most 32 MiB; the oldest goes first", async () => {
  await using backend = new MemoryBackend();
  const text = "x".repeat(1024 * 1024);
  const ids = Array.from({ length: 40 }, () => newTaskId());
  for (const id of ids) await backend.streams.append("a", { id, text }, HOUR);
  assertEquals((await backend.streams.readAfter("a", "")).map(({ id }) => id), ids.slice(8));
});

Deno.test("streams in KV keep a message until it expires, also over a restart", async () => {
  await using folder = await TempFolder.make();
  {
    await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
    await expires(backend.streams);
  }
  await using again = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  assertEquals((await again.streams.readAfter("kept", "")).map(({ text }) => text), ["for an hour"]);
  await again.close();
});

testUnless(noRedis, "streams on Redis keep a message until it expires", async () => {
  await using redis = await openRedis();
  const options = { redis: redis.url, prefix: `mcp-jobs-test-${crypto.randomUUID()}` };
  await using backend = await BullMqBackend.connect(options);
  assert(backend.streams);
  await expires(backend.streams);
});

testUnless(noPostgres, "streams in PostgreSQL keep a message until it expires", async () => {
  await using server = await PostgresServer.start();
  const url = await server.makeDatabase();
  await PostgresBackend.migrate({ url });
  await using backend = await PostgresBackend.connect({ url });
  await expires(backend.streams);
});
