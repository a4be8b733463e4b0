import { fileURLToPath } from "node:url";
import { createClient, defineJob, DenoKvBackend } from "../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { TempFolder } from "../support/temp_folder.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));
const waits = defineJob({ name: "waits", input: { type: "object" } });

Deno.test("a command that follows tasks ends once nobody reads its output, as after `| head -1`", async () => {
  await using folder = await TempFolder.make();
  await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  using client = createClient(backend, { owner: "ann" });
  const { id } = await client.start(waits, {});
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--unstable-kv", CLI, "watch"],
    env: { MCP_JOBS_KV: `${folder.path}/jobs.kv`, NO_COLOR: "1" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assertStringIncludes(new TextDecoder().decode(value), id);
  await reader.cancel();
  await client.start(waits, {}); // What is written about it finds nobody.
  assertEquals((await child.status).code, 0);
});
