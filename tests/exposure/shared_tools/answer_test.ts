/** To which clients the tool is listed with which a model passes on a person's answer. */
import { AsyncToolServer, defineJob, MemoryBackend } from "../../../mod.ts";
import { request } from "../../mcp/support/modern.ts";
import { assertEquals } from "../../../tools/std.ts";

Deno.test("task_answer is listed to each client that cannot ask a person everything: forms, and pages to open", async () => {
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "listed", version: "1.0.0", backend });
  server.registerAsyncTool(defineJob({ name: "order", input: { type: "object" } }), { answers: "model" });
  const isListed = async (elicitation?: Record<string, unknown>) => {
    const url = new URL("http://localhost/mcp");
    const sent = request(url, "tools/list", {}, elicitation ? { elicitation } : {});
    const { result } = await (await server.fetch(sent)).json();
    return result.tools.some(({ name }: { readonly name: string }) => name === "task_answer");
  };
  assertEquals(await isListed(), true);
  assertEquals(await isListed({}), true); // Forms only, as declared before there were pages.
  assertEquals(await isListed({ form: {} }), true);
  assertEquals(await isListed({ url: {} }), true);
  assertEquals(await isListed({ form: {}, url: {} }), false);
  await server.close();
});
