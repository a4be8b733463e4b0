import { AsyncToolServer, type AuditEvent, MemoryBackend, OperationResourceStrategy } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { Events, request } from "../../support/modern.ts";

const URL_OF_SERVER = new URL("http://localhost/mcp");

Deno.test("a principal has a limit of open subscriptions, which others do not share, and one that ends makes room", async () => {
  const audited: AuditEvent[] = [];
  await using server = new AsyncToolServer({
    name: "test",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new OperationResourceStrategy(),
    authenticate: ({ headers }) => ({ principal: headers.get("authorization") ?? "" }),
    limits: { sessions: 2 },
    audit: (event) => void audited.push(event),
  });
  server.asyncTool({ name: "job", input: { type: "object" } }, () => 1);
  const listen = async (principal: string) => {
    const asked = request(URL_OF_SERVER, "subscriptions/listen", { notifications: { taskIds: [] } });
    asked.headers.set("authorization", principal);
    const response = await server.fetch(asked);
    const events = new Events(response);
    const { error } = await events.next();
    return { status: response.status, error, events };
  };
  const [first, second, third] = [await listen("ann"), await listen("ann"), await listen("ann")];
  assertEquals([first.status, second.status, third.status], [200, 200, 429]);
  assertEquals([third.error?.code, third.error?.data], [-32005, { limit: "sessions", retryAfterMs: 60_000 }]);
  assertEquals(audited.map(({ event, principal }) => [event, principal]), [["refused", "ann"]]);
  const bob = await listen("bob");
  assertEquals(bob.status, 200);
  await first.events[Symbol.asyncDispose]();
  let fourth = await listen("ann");
  while (fourth.status === 429) fourth = await listen("ann"); // The server learns of the end in a moment.
  for (const { events } of [second, fourth, bob]) await events[Symbol.asyncDispose]();
});
