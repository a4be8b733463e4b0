import pg from "pg";
import { inTime } from "../../../src/backends/bullmq/deadline.ts";
import { PostgresListener } from "../../../src/backends/bullmq/postgres/listener.ts";
import { assertEquals } from "../../../tools/std.ts";

/** What PostgreSQL says to one who may come in: authenticated, and ready. */
const WELCOME = new Uint8Array([..."R\0\0\0\b\0\0\0\0Z\0\0\0\x05I"].map((char) => char.charCodeAt(0)));

/** Only a test that fails waits as long. */
const PATIENCE_MS = 10_000;

Deno.test("a listener on PostgreSQL closes while the answer to its LISTEN does not come", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heard: string[] = [];
  const listener = new PostgresListener({
    channels: ["mcp_jobs"],
    makeClient: () => new pg.Client({ host: "127.0.0.1", port: server.addr.port, user: "test", database: "test" }),
    hear: () => heard.push("notification"),
    listening: () => heard.push("listening"),
  });
  using connection = await server.accept();
  const buffer = new Uint8Array(1024);
  await connection.read(buffer);
  await connection.write(WELCOME);
  const length = await connection.read(buffer) ?? 0;
  assertEquals(new TextDecoder().decode(buffer.subarray(5, length - 1)), "LISTEN mcp_jobs");
  await inTime(listener.close(), "the close hangs", PATIENCE_MS);
  assertEquals(heard, []);
});
