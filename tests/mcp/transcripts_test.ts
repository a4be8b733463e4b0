/**
 * Recorded conversations with both strategies. After a wanted change: `deno test -A tests/mcp/transcripts_test.ts -- --update`
 *
 * @module
 */
import { Pipe } from "./pipe.ts";
import { difference, replay } from "./transcript.ts";

for (const strategy of ["operation", "polling"] as const) {
  Deno.test(`the conversation with the ${strategy} strategy is the recorded one`, async () => {
    const file = new URL(`./transcripts/${strategy}.txt`, import.meta.url);
    const recorded = await Deno.readTextFile(file);
    await using pipe = new Pipe(strategy);
    const now = await replay(recorded, pipe);
    if (Deno.args.includes("--update")) return await Deno.writeTextFile(file, now);
    const changed = difference(recorded, now);
    if (changed !== undefined) {
      throw new Error(`${changed}\nIf this is wanted: deno test -A tests/mcp/transcripts_test.ts -- --update`);
    }
  });
}
