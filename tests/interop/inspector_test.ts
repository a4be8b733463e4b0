/**
 * The command line of the official MCP Inspector against the fixture server, over both transports and in both eras. The
 * Inspector is large and needs a Node of its own, so these tests run only where they are asked for. tests/clients has it
 * follow long jobs.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { assertEquals } from "../../tools/std.ts";
import { commandOf } from "../clients/support/npx.ts";
import { serve } from "../support/served.ts";
import { testUnless } from "../support/test_unless.ts";
import { fixtureServer } from "./support/fixture.ts";

const INSPECTOR = "@modelcontextprotocol/inspector@2.12.0";
const leftOut = Deno.env.has("TEST_INSPECTOR")
  ? undefined
  : "set TEST_INSPECTOR=1; it downloads the Inspector with npx";

/** Runs one method through the Inspector and returns what it prints. */
async function inspect(target: readonly string[], era: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { success, stdout, stderr } = await new Deno.Command(await commandOf(INSPECTOR, "mcp-inspector"), {
    // On a busy machine a server needs more than the usual 15 s to start.
    args: [
      "--cli",
      "--format",
      "json",
      "--quiet",
      "--connect-timeout",
      "120000",
      "--protocol-era",
      era,
      ...args,
      ...target,
    ],
    stdin: "null",
  }).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success || !out) throw new Error(`The Inspector failed: ${out}${errors}`);
  return JSON.parse(out).result;
}

/** Lists the tools, and calls one of them: the Inspector calls it plainly or as a task, as it likes. */
async function listAndCall(target: readonly string[], era: string): Promise<void> {
  const listed = await inspect(target, era, "--method", "tools/list");
  const tools = Array.isArray(listed.tools) ? listed.tools : [];
  assertEquals(tools.some(({ name }) => name === "strict"), true);
  const call = ["--method", "tools/call", "--tool-name", "strict", "--tool-args-json", '{"id":7}'];
  const { structuredContent } = await inspect(target, era, ...call);
  assertEquals(structuredContent, { id: 7 });
}

for (const era of ["legacy", "modern"]) {
  testUnless(leftOut, `the Inspector lists and calls tools over stdio, ${era} era`, async () => {
    const script = fileURLToPath(new URL("support/server.ts", import.meta.url));
    await listAndCall([Deno.execPath(), "run", "-A", "--unstable-kv", script, "operation", "stdio"], era);
  });

  testUnless(leftOut, `the Inspector lists and calls tools over HTTP, ${era} era`, async () => {
    await using served = await serve(fixtureServer("operation"), { concurrency: 4 });
    await listAndCall([served.url.href], era);
  });
}
