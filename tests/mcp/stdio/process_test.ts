/**
 * The server as a process: stdout belongs to the protocol, and the process ends when it is no longer needed.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { assertEquals } from "../../../tools/std.ts";
import { FIXTURE, Pipe, startFixture } from "../support/pipe.ts";
import { startProcess } from "../support/program.ts";

Deno.test("what a job logs to the console goes to stderr and leaves the protocol whole", async () => {
  await using pipe = await Pipe.open(startFixture("operation"));
  assertEquals((await pipe.call("chatty")).structuredContent, { logged: true });
  // The pipe fails on any line that is not JSON.
  assertEquals((await pipe.end()).stderr.split("a line that is no JSON-RPC message").length - 1, 7);
});

Deno.test("what a job logs to the console does not end a server whose stderr was closed", async () => {
  const { stdin, stdout, stderr, status, kill } = startFixture("operation");
  await stderr.cancel();
  await using pipe = await Pipe.open({ stdin, stdout, stderr: new Blob().stream(), status, kill });
  for (let call = 0; call < 3; call++) await pipe.call("chatty");
  assertEquals((await pipe.end()).code, 0);
});

Deno.test("what a job logs to the console is exported as logs, too, where Deno exports telemetry", async () => {
  const exported: string[] = [];
  await using receiver = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    exported.push(await request.text());
    return new Response();
  });
  const env = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.addr.port}` };
  await using pipe = await Pipe.open(startProcess(FIXTURE, ["operation", "stdio"], env));
  await pipe.call("chatty");
  await pipe.end(); // It has exported what was left.
  assertEquals(exported.some((body) => body.includes("a line that is no JSON-RPC message")), true);
});

Deno.test("the polling server ends with code 0 when its client closes stdin", async () => {
  await using pipe = await Pipe.open(startFixture("polling"));
  const { code, signal, stderr } = await pipe.end();
  assertEquals([code, signal, stderr], [0, null, ""]);
});

for (const strategy of ["polling", "operation"] as const) {
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.test(`the ${strategy} server ends with code 0 on ${name}`, async () => {
      await using pipe = await Pipe.open(startFixture(strategy));
      pipe.kill(name);
      const { code, signal, stderr } = await pipe.end("wait");
      assertEquals([code, signal, stderr], [0, null, ""]);
    });
  }
}

Deno.test("requests that were given up, a job that still runs and a call that waits neither keep the server from ending nor leave errors on stderr", async () => {
  await using pipe = await Pipe.open(startFixture("operation"), { tasks: {} });
  const id = await pipe.start("hold", { gate: "task" });
  for (
    const [reason, method, params] of [
      ["I am tired.", "tasks/result", { taskId: id }],
      [undefined, "tools/call", { name: "hold", arguments: { gate: "given up" } }],
    ] as const
  ) {
    await pipe.send({ jsonrpc: "2.0", id: method, method, params });
    await pipe.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: method, reason } });
  }
  await pipe.request("tasks/get", { taskId: id });
  await pipe.send({
    jsonrpc: "2.0",
    id: "waits",
    method: "tools/call",
    params: { name: "hold", arguments: { gate: "call" } },
  });
  await pipe.call("await_gate", { gate: "task:started" });
  await pipe.call("await_gate", { gate: "call:started" });
  const { code, signal, stderr } = await pipe.end();
  assertEquals([code, signal, stderr], [0, null, ""]);
});

Deno.test("a client that leaves before its first message ends the server, too", async () => {
  await using pipe = new Pipe(startFixture("operation"));
  const { code, stderr } = await pipe.end();
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("over HTTP the server prints its URL, answers, and ends with code 0 on SIGTERM", async () => {
  const server = fileURLToPath(FIXTURE);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", server, "operation", "http"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const said = (await stderr.read()).value ?? "";
  const url = /http:\S+/.exec(said)?.[0] ?? "";
  const response = await fetch(url, { method: "POST", body: "{", headers: { "content-type": "application/json" } });
  assertEquals((await response.json()).error.code, -32700);
  child.kill("SIGTERM");
  const { code } = await child.status;
  const [rest, stdout] = [await stderr.read(), await new Response(child.stdout).text()];
  assertEquals([code, rest.done, stdout], [0, true, ""]);
});
