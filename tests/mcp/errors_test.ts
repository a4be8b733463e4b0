import { BackendError, InvalidInput, InvalidValue, StoreLost, TaskNotFound, Unavailable } from "../../src/errors.ts";
import { toProtocolError } from "../../src/mcp/errors.ts";
import { ignored, unexpected } from "../support/errors.ts";
import { Pipe } from "./support/pipe.ts";
import { startProcess } from "./support/program.ts";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";

Deno.test("an error that the caller can correct is invalid params, and one that only the operator can is an internal error", () => {
  const errors: [error: Error, code: number, part: string][] = [
    [new InvalidInput("cursor", [{ path: "", message: "no page of tasks has it" }]), -32602, "Invalid cursor"],
    [new InvalidValue("The input has 20 bytes as JSON"), -32602, "The input has 20 bytes"],
    [new TaskNotFound("7"), -32602, 'Cannot find task "7"'],
    [new BackendError("Redis is away."), -32603, "The server's store failed"],
    [new StoreLost("The KV file was deleted."), -32603, "The KV file was deleted."],
  ];
  for (const [error, code, part] of errors) {
    const { code: given, message } = toProtocolError(error, ignored);
    assertEquals([given, message.includes(part)], [code, true], message);
  }
});

Deno.test("what a store says about its failure, such as hosts, users and paths, goes to onError and not to the caller", () => {
  const reported: unknown[] = [];
  const error = new BackendError('PostgreSQL failed: password authentication failed for user "jobs".');
  const { message } = toProtocolError(error, (failure) => reported.push(failure));
  assertEquals(message, "The server's store failed. Try again later. The server's log has the reason.");
  assertEquals(reported, [error]);
});

Deno.test("what its caller is told, and a request that was given up, is no defect: onError does not get it", () => {
  const { message } = toProtocolError(new Unavailable("The server is shutting down."), unexpected);
  assertEquals(message, "The server is shutting down.");
  toProtocolError(new DOMException("The call was aborted.", "AbortError"), unexpected);
});

Deno.test("a defect goes to onError, by default a line on stderr, and not to the caller", async () => {
  await using pipe = await Pipe.open(startProcess(new URL("./support/broken_server.ts", import.meta.url)));
  const { code, message } = await pipe.error("tasks/list", {});
  assertEquals([code, message], [-32603, "Internal error."]);
  const line = JSON.parse((await pipe.end()).stderr);
  assertEquals(line.where, "answer a request");
  assertStringIncludes(line.error, "the secret of the store (at ");
});
