import { withProcess } from "../../bench/process.ts";
import { findViolations } from "../../tools/check_imports.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

/** Writes a small project of its own, and says what the checker finds in it. */
async function violationsOf(files: { readonly [path: string]: string }, long?: { readonly [path: string]: string }) {
  const folder = await Deno.makeTempDir();
  try {
    const root = new URL(`file://${await Deno.realPath(folder)}/`);
    for (const [path, text] of Object.entries({ "deno.json": "{}", "mod.ts": "", ...files })) {
      await Deno.mkdir(new URL("./", new URL(path, root)), { recursive: true });
      await Deno.writeTextFile(new URL(path, root), text);
    }
    return await findViolations(root, long);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the project keeps its own directions and lengths", async () => {
  assertEquals(await findViolations(new URL("../../", import.meta.url)), []);
});

Deno.test("the record must import nothing, not even a type", async () => {
  assertEquals(
    await violationsOf({ "src/task.ts": `import type { A } from "./a.ts"; export type B = A;`, "src/a.ts": "" }),
    ["src/task.ts imports src/a.ts: the task record imports nothing"],
  );
});

Deno.test("a folder that imports what its layer must not know is named", async () => {
  const found = await violationsOf({
    "src/exposure/polling.ts": `import "../backends/memory/mod.ts";`,
    "src/backends/memory/mod.ts": `import "../../mcp/bind.ts";`,
    "src/mcp/bind.ts": `import "../backends/kv/mod.ts";`,
    "src/backends/kv/mod.ts": "",
  });
  assertEquals(found, [
    "src/backends/memory/mod.ts imports src/mcp/bind.ts: a backend knows task records alone",
    "src/exposure/polling.ts imports src/backends/memory/mod.ts: an exposure strategy knows the contract alone",
    "src/mcp/bind.ts imports src/backends/kv/mod.ts: the protocol knows the contract alone",
  ]);
});

Deno.test("code that answers MCP clients, or runs beside it, can neither import the operator nor take it from a backend", async () => {
  const found = await violationsOf({
    "src/operator/operator.ts": "",
    "src/contract/operator.ts": "",
    "src/schedules/operate.ts": "",
    "src/dashboard/mod.ts": `import "../operator/operator.ts"; import "../contract/operator.ts";`,
    "src/mcp/tools.ts": `import "../operator/operator.ts"; // backend.operator`,
    "src/mcp/pages.ts": `import "../dashboard/mod.ts";`,
    "src/server/server.ts": `export const reach = (backend: any) => backend.operator;`,
    "src/worker.ts": `import "./schedules/operate.ts";`,
    "src/exposure/polling.ts": `import type {} from "../contract/operator.ts";`,
    "src/mcp/a.ts": `export const reach = (backend: any) => backend.operator;`,
    "src/tasks/b.ts": `export const reach = ({ create, operator }: any) => [create, operator];`,
    "src/exposure/c.ts": `export const reach = (backend: any) => backend["operator"];`,
    "src/cli/d.ts": `export const reach = (backend: any) => backend.operator;`,
  });
  assertEquals(found.toSorted(), [
    "src/exposure/c.ts takes the operator of a backend: no MCP client may reach it",
    "src/exposure/polling.ts imports src/contract/operator.ts: no MCP client may reach the operator",
    "src/mcp/a.ts takes the operator of a backend: no MCP client may reach it",
    "src/mcp/pages.ts imports src/dashboard/mod.ts: no MCP client may reach the operator",
    "src/mcp/tools.ts imports src/operator/operator.ts: no MCP client may reach the operator",
    "src/server/server.ts takes the operator of a backend: no MCP client may reach it",
    "src/tasks/b.ts takes the operator of a backend: no MCP client may reach it",
    "src/worker.ts imports src/schedules/operate.ts: no MCP client may reach the operator",
  ]);
});

Deno.test("only src/mcp may import an MCP SDK, be it lazily or as a type", async () => {
  const found = await violationsOf({
    "mod.ts": `import type { Server } from "npm:@modelcontextprotocol/server"; export type S = Server;`,
    "src/server/server.ts": `await import("npm:@modelcontextprotocol/sdk");`,
    "src/mcp/bind.ts": `import "npm:@modelcontextprotocol/server";`,
  });
  assertEquals(found.map((line) => line.split(" ")[0]), ["mod.ts", "src/server/server.ts"]);
});

Deno.test("a queue library that an entry would load at once is found, however far away", async () => {
  const files = { "strategy.ts": `import "./src/a.ts";`, "src/a.ts": `export * from "./b.ts";` };
  const eager = await violationsOf({ ...files, "src/b.ts": `import "npm:ioredis@6";` });
  assertEquals(eager.map((line) => line.split(" ")[0]), ["src/b.ts"]);
  assertEquals(await violationsOf({ ...files, "src/b.ts": `await import("npm:ioredis@6");` }), []);
});

Deno.test("only the folder of a revision names it in code, and bind.ts imports it", async () => {
  const files = {
    "src/mcp/rev_2025_11_25/wire.ts": `export const REVISION = "2025-11-25";`,
    "src/mcp/rev_2026_07_28/wire.ts": `/** Unlike 2025-11-25. */ export const accept = "*/*"; // 2025-11-25 has none`,
    "src/mcp/bind.ts": `import "./rev_2025_11_25/wire.ts"; import "./rev_2026_07_28/wire.ts";`,
    "src/mcp/tools.ts": `/* 2025-11-25 */ export const older = "2025-06-18"; // 2026-07-28`,
    "tests/mcp/bind_test.ts": `import "../../src/mcp/rev_2025_11_25/wire.ts";`,
  };
  assertEquals(await violationsOf(files), []);
  const found = await violationsOf({
    ...files,
    "src/mcp/rev_2026_07_28/tasks.ts": `import "../rev_2025_11_25/wire.ts";`,
    "src/mcp/tools.ts":
      `export const url = "https://a/*"; export const isOld = (revision: string) => revision < "2026-07-28";`,
  });
  assertEquals(found, [
    "src/mcp/rev_2026_07_28/tasks.ts names 2025-11-25: only src/mcp/rev_2025_11_25/ knows that revision, and bind.ts " +
    "imports it",
    "src/mcp/tools.ts names 2026-07-28: only src/mcp/rev_2026_07_28/ knows that revision, and bind.ts imports it",
  ]);
});

Deno.test("std is reached through tools/std.ts alone", async () => {
  const reach = `await import("jsr:@std/assert@1").catch(() => {});`;
  const found = await violationsOf({ "tools/std.ts": reach, "examples/a/client.ts": reach });
  assertEquals(found.map((line) => line.split(" ")[0]), ["examples/a/client.ts"]);
});

Deno.test("a circle of imports is shown, also where types close it and others import it", async () => {
  const found = await violationsOf({
    "src/a.ts": `import "./b.ts";`,
    "src/b.ts": `import "./c.ts"; import "./d.ts";`,
    "src/c.ts": `import type { B } from "./b.ts"; export type C = B;`,
    "src/d.ts": "",
  });
  assertEquals(found, [
    "src/b.ts imports src/c.ts imports src/b.ts: a circle; move what both need into a file of its own",
  ]);
});

Deno.test("a folder with more than twelve files is named", async () => {
  const folder = (name: string, length: number) => Array.from({ length }, (_, index) => [`${name}/${index}.ts`, ""]);
  assertEquals(
    await violationsOf(Object.fromEntries([...folder("src/a", 12), ...folder("tests/b", 13)])),
    ["tests/b/ has 13 files: make rooms of it; 12 is the most"],
  );
});

Deno.test("a file of src/ that is too long is named, unless an exception says why", async () => {
  const files = {
    "src/long.ts": "\n".repeat(301),
    "src/short.ts": "\n".repeat(300),
    "tests/long.ts": "\n".repeat(999),
  };
  assertEquals(await violationsOf(files), ["src/long.ts has 301 lines: split it; 300 is the most"]);
  assertEquals(await violationsOf(files, { "src/long.ts": "a table" }), []);
});

Deno.test("an exception that no file needs any more is named", async () => {
  assertEquals(
    await violationsOf({ "src/short.ts": "\n" }, { "src/short.ts": "a table" }),
    ["src/short.ts has 1 lines: it needs no exception any more"],
  );
});

Deno.test("a URL's path that would be taken for a file's is found: it differs in a folder whose name has a space", async () => {
  const found = await violationsOf({
    "bench/a.ts": `\nconst a = new URL("b.ts", import.meta.url)${"." + "pathname"};`,
    "bench/b.ts": `new URL("http://a/b").pathname; new URL("b.ts", import.meta.url);`,
  });
  assertEquals(found, [
    "bench/a.ts:2 takes the pathname of a file's URL, which has %20 for a space: use fileURLToPath of node:url",
  ]);
});

Deno.test("a benchmark whose process ends too early fails, be it before it is ready or while it is used", async () => {
  const folder = await Deno.makeTempDir();
  const script = `file://${folder}/process.ts`;
  const said = (code: number) => `The process of ${script} ended too early, with exit code ${code}.`;
  await Deno.writeTextFile(`${folder}/process.ts`, "Deno.exit(3);");
  const never = () => new Promise<void>(() => {});
  await assertRejects(() => withProcess({ script, args: [] }, never), Error, said(3));
  const midway = `console.log("ready"); for await (const _ of Deno.stdin.readable) Deno.exit(4);`;
  await Deno.writeTextFile(`${folder}/process.ts`, midway);
  await assertRejects(
    () => withProcess({ script, args: [] }, ({ ask }) => ask("go").then(never, never)),
    Error,
    said(4),
  );
  const good = `for await (const _ of Deno.stdin.readable) console.log("did " + Deno.args);`;
  await Deno.writeTextFile(`${folder}/process.ts`, `console.log("ready"); ${good}`);
  const answers = await withProcess({ script, args: ["it"] }, async ({ first, ask }) => [first, await ask("go")]);
  assertEquals(answers, ["ready", "did it"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the lock file holds no package that the project does not name: `deno task` would fetch it for everybody", async () => {
  const read = async (name: string) => JSON.parse(await Deno.readTextFile(new URL(`../../${name}`, import.meta.url)));
  const [{ imports }, { specifiers }] = [await read("deno.json"), await read("deno.lock")];
  const nameOf = (specifier: string) => specifier.replace(/@[^@/]*$/, "");
  const named = new Set(Object.values<string>(imports).map(nameOf));
  // Where JSR can be reached, Deno also notes what the packages from there need themselves.
  const locked = Object.keys(specifiers).filter((specifier) => specifier.startsWith("npm:")).map(nameOf);
  assertEquals(locked.filter((name) => !named.has(name)), []);
});
