/** The options that users pass, compared with the pages that list them. */
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "../../tools/std.ts";

const ROOT = new URL("../../", import.meta.url);
const USERS = /Options$|^Limits$|^JobDefinition$|^JobPolicy$/;
/** Only writers of a strategy or a backend pass these. */
const WRITERS = ["WaitOptions", "StartOptions", "WorkOptions"];

Deno.test("docs/api.md and docs/security.md name every option that a user can pass", async () => {
  const entries = ["mod.ts", "strategy.ts", "backend.ts", "dashboard.ts"].map((file) => new URL(file, ROOT));
  const args = ["doc", "--json", ...entries.map((entry) => fileURLToPath(entry))];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "null" }).output();
  const { nodes }: Documentation = JSON.parse(new TextDecoder().decode(stdout));
  const pages = await Promise.all(["api", "security"].map((name) => readPage(name)));
  const code = pages.join("\n").match(/`[^`\n]+`/g) ?? [];
  const words = new Set(code.flatMap((span) => span.match(/\w+/g) ?? []));
  const options = Object.values(nodes).flatMap(({ symbols }) => symbols)
    .filter(({ name }) => USERS.test(name) && !WRITERS.includes(name))
    .flatMap(({ name, declarations }) =>
      declarations.flatMap(({ def }) => (def.properties ?? []).map((property) => ({ of: name, name: property.name })))
    );
  assert(options.some(({ of, name }) => of === "ServerOptions" && name === "inlineBytes"));
  assertEquals(options.filter(({ name }) => !words.has(name)), []);
});

const readPage = (name: string) => Deno.readTextFile(new URL(`docs/${name}.md`, ROOT));

/** The part of the output of `deno doc --json` that is read here. */
interface Documentation {
  readonly nodes: { readonly [file: string]: { readonly symbols: readonly DocumentedSymbol[] } };
}

interface DocumentedSymbol {
  readonly name: string;
  readonly declarations: readonly { readonly def: { readonly properties?: readonly { readonly name: string }[] } }[];
}
