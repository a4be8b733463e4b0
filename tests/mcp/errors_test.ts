import { fileURLToPath } from "node:url";
import { BackendError, InvalidInput, InvalidValue, TaskNotFound } from "../../src/errors.ts";
import { toProtocolError } from "../../src/mcp/errors.ts";
import { ignored } from "../support/errors.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";

Deno.test("an error that the caller can correct is invalid params, and one that only the operator can is an internal error", () => {
  const errors: [error: Error, code: number, part: string][] = [
    [new InvalidInput("cursor", [{ path: "", message: "no page of tasks has it" }]), -32602, "Invalid cursor"],
    [new InvalidValue("The input has 20 bytes as JSON"), -32602, "The input has 20 bytes"],
    [new TaskNotFound("7"), -32602, 'Cannot find task "7"'],
    [new BackendError("Redis is away."), -32603, "Redis is away."],
  ];
  for (const [error, code, part] of errors) {
    const { code: given, message } = toProtocolError(error, ignored);
    assertEquals([given, message.includes(part)], [code, true], message);
  }
});

Deno.test("a defect goes to onError, by default a line on stderr, and not to the caller", async () => {
  const server = fileURLToPath(new URL("./support/broken_server.ts", import.meta.url));
  const args = ["run", "--quiet", "--allow-env", "--allow-read", "--allow-sys", "--unstable-kv", server];
  const stdio = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(Deno.execPath(), { args, ...stdio }).spawn();
  const clientInfo = { name: "test", version: "1.0.0" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const messages = [
    { id: 1, method: "initialize", params },
    { method: "notifications/initialized" },
    { id: 2, method: "tasks/list", params: {} },
  ];
  const stderr = new Response(child.stderr).text();
  const stdin = child.stdin.getWriter();
  for (const message of messages) {
    await stdin.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`));
  }
  let text = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("\n").length > 2) await stdin.close().catch(() => {}); // It ends when its client is gone.
  }
  const answer = JSON.parse(text.split("\n")[1] ?? "");
  assertEquals([answer.id, answer.error.code], [2, -32603]);
  assert(!text.includes("the secret of the store"), text);
  const part = JSON.parse(await stderr);
  assertEquals(part.where, "answer a request");
  assertStringIncludes(part.error, "the secret of the store (at ");
  await child.status;
});
