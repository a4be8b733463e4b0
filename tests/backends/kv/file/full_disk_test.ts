/**
 * A disk that is full under the KV file: a small file system of the test's own, and a real server on it.
 *
 * @module
 */
import { AsyncToolServer, DenoKvBackend, OperationResourceStrategy } from "../../../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../../../tools/std.ts";
import { Raw } from "../../../mcp/http/support/raw.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { fill, noSmallDisk, smallDisk } from "../../support/small_disk.ts";

testUnless(
  noSmallDisk,
  "KV: /healthz is 503 while the disk is full, calls fail and the log says why, and all goes on once there is room again",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-full-" });
    const unmount = await smallDisk(folder);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", import.meta.filename ?? "", `${folder}/jobs.kv`],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const log = new Response(child.stderr).text();
    const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    try {
      const url = new URL(String((await output.next()).value).trim());
      const health = async () => {
        const response = await fetch(new URL("/healthz", url));
        return [response.status, await response.json()] as const;
      };
      const raw = await Raw.open(async (request) => {
        const { method, headers } = request;
        headers.delete("host");
        const response = await fetch(url, { method, headers, body: await request.text() || undefined });
        if (response.status === 202) await response.body?.cancel();
        return response;
      });
      assertEquals(await health(), [200, { status: "ok" }]);
      const before = await raw.start("echo", { text: "before" });
      const filler = fill(folder);
      let refusal = "";
      await until(async () => {
        const { error } = await raw.ask("tools/call", { name: "echo", arguments: { text: "full" }, task: {} });
        refusal = error?.message ?? "";
        return error !== undefined;
      }, "a task is refused");
      assertStringIncludes(refusal, "The server's store failed.");
      await until(async () => (await health())[0] === 503, "/healthz is 503");
      assertEquals((await health())[1], { status: "unavailable", error: "The backend takes no tasks." });
      assertEquals((await raw.ask("tasks/get", { taskId: before })).result?.taskId, before);
      await Deno.remove(filler);
      await until(async () => (await health())[0] === 200, "/healthz is 200 again");
      const after = await raw.start("echo", { text: "after" });
      const { result } = await raw.ask("tasks/result", { taskId: after });
      assertEquals(result.content[0].text, "after");
    } finally {
      await child.stdin.close();
      await child.status;
      await output.return?.();
      await unmount?.();
      await Deno.remove(folder, { recursive: true });
    }
    assertStringIncludes(await log, "database or disk is full");
  },
);

/** A server over HTTP with its own worker; it ends with its stdin. */
async function serve(path: string): Promise<void> {
  const end = new AbortController();
  const backend = await DenoKvBackend.open({ path });
  const server = new AsyncToolServer({
    name: "full",
    version: "1.0.0",
    backend,
    strategy: new OperationResourceStrategy(),
    audit: () => {},
  });
  const input = { type: "object", properties: { text: { type: "string" } } } as const;
  server.asyncTool({ name: "echo", input }, ({ text }) => text);
  const onListen = (url: string) => console.log(url);
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen, signal: end.signal });
  for await (const _ of Deno.stdin.readable);
  end.abort();
  await running;
}

if (import.meta.main) await serve(Deno.args[0] ?? "");
