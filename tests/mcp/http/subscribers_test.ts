import { listening } from "../../../bench/http/listening.ts";
import { MemoryBackend } from "../../../mod.ts";
import { assertEquals } from "../../../tools/std.ts";

Deno.test("each of 100 subscribers is notified of the end of its task once and in order, and leaves nothing behind", async () => {
  await using backend = new MemoryBackend();
  const { latencies, ...result } = await listening(backend, 100);
  assertEquals(latencies.length, 100);
  assertEquals(result, { missed: 0, doubled: 0, disordered: 0, leftBehind: 0 });
});
