/**
 * A server with a slow backend or client: it serves nevertheless, and ends when it should.
 *
 * @module
 */
import { assertEquals } from "../../tools/std.ts";
import { type Program, startProcess } from "./support/program.ts";

function start(how: "never" | "fails" | "closes" | "full"): Program {
  return startProcess(new URL("./support/slow_server.ts", import.meta.url), [how]);
}

Deno.test("while its worker cannot start, as without Redis, a server answers, and ends with its client", async () => {
  const child = start("never");
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"ping"}\n'));
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const answer = JSON.parse((await stdout.read()).value ?? "");
  await stdin.close();
  const [{ code }, end, stderr] = await Promise.all([
    child.status,
    stdout.read(),
    new Response(child.stderr).text(),
  ]);
  assertEquals([answer.id, code, end.done, stderr], [1, 0, true, ""]);
});

Deno.test("a worker that cannot start ends the run, even if the client is still there", async () => {
  const child = start("fails");
  const [{ code }, stdout, stderr] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.stdin.close().catch(() => {});
  assertEquals([code, stdout, stderr], [0, "", "BackendError: Cannot start a worker: no such table.\n"]);
});

Deno.test("a second signal, as npx and terminals send it, does not interrupt the shutdown", async () => {
  const child = start("closes");
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await stderr.read()).value, "listening\n");
  child.kill("SIGTERM");
  assertEquals((await stderr.read()).value, "closing\n");
  child.kill("SIGINT");
  assertEquals((await stderr.read()).value, "SIGINT\n");
  child.kill("SIGTERM");
  assertEquals((await stderr.read()).value, "SIGTERM\n");
  await child.stdin.close();
  const { code, signal } = await child.status;
  const said = [await stderr.read(), await stderr.read()].map(({ value }) => value);
  await child.stdout.cancel();
  assertEquals([code, signal, said], [0, null, ["closed\n", undefined]]);
});

Deno.test("a run ends even if the client does not read, and a signal ends the process that an unread answer keeps alive", async () => {
  const child = start("full");
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "deaf", version: "1" } };
  const calls = Array.from({ length: 1_000 }, (_, id) => ({ jsonrpc: "2.0", id: id + 1, method: "tools/list" }));
  const messages = [{ jsonrpc: "2.0", id: 0, method: "initialize", params }, ...calls];
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(messages.map((message) => `${JSON.stringify(message)}\n`).join("")));
  await stdin.close();
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await stderr.read()).value, "over\n");
  child.kill("SIGTERM");
  assertEquals((await child.status).signal, "SIGTERM");
  await Promise.all([stderr.cancel(), child.stdout.cancel()]);
});
