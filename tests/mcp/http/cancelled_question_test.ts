import { MemoryBackend } from "../../../mod.ts";
import { assertEquals } from "../../../tools/std.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { Events, Raw } from "./support/raw.ts";

Deno.test("a call that is cancelled while it asks withdraws its question", async () => {
  await using server = fixtureServer("operation", new MemoryBackend());
  const raw = await Raw.open(server.fetch, undefined, { elicitation: {} });
  const call = new Events(await raw.post("tools/call", { name: "introduce", arguments: {} }));
  const { id } = await call.message();
  const params = { requestId: 2, reason: "no time" };
  await raw.send({
    method: "POST",
    body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params }),
  });
  const taken = await call.message();
  assertEquals([taken.method, taken.params.requestId], ["notifications/cancelled", id]);
  // The reason is not the SDK's own time limit of a minute.
  assertEquals(taken.params.reason.includes("timed out"), false);
  assertEquals(await call.next(), undefined);
});
