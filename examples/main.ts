/**
 * The entry of all examples: `example [name] [--backend kv|redis|postgres]` runs a whole example, `<example> <role>` one of its
 * processes, and `cli …` the command line of mcp-jobs.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DEFAULT_EXAMPLE, EXAMPLES, ROLES } from "./catalog.ts";
import { runExample } from "./run.ts";
import { END_WITH_STDIN, endWithStdin } from "./shared/role.ts";

const { values: { backend, ...unknown }, positionals: [first = "", second, ...more] } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: { backend: { type: "string", default: "kv" } },
});
const role = ROLES.get(`${first} ${second}`);
const surplus = [...Object.keys(unknown).map((option) => `--${option}`), ...more];

if (role) {
  const stopWatching = Deno.args.includes(END_WITH_STDIN) ? endWithStdin() : undefined;
  await role();
  await stopWatching?.();
} else if (first === "cli") {
  const { main } = await import("../cli.ts");
  Deno.exitCode = await main(Deno.args.slice(1));
} else if (first === "example" && surplus.length > 0) {
  console.error(`Cannot use ${surplus.join(" ")}. Usage: example [name] [--backend kv|redis|postgres]`);
  Deno.exitCode = 2;
} else if (first === "example") {
  Deno.exitCode = await runExample(second ?? DEFAULT_EXAMPLE, String(backend));
} else {
  console.error(`Cannot run ${JSON.stringify(Deno.args.join(" "))}. Use one of:`);
  for (const [name, { about }] of EXAMPLES) console.error(`  example ${name.padEnd(24)} ${about}`);
  console.error(`  ${"cli".padEnd(32)} the command line of mcp-jobs; cli --help lists its commands`);
  for (const name of ROLES.keys()) console.error(`  ${name}`);
  Deno.exitCode = 2;
}
