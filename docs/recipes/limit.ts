import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

/** A third-party service that takes two requests at once, and 100 a minute. */
export type Translate = (text: string, language: string) => Promise<string>;

/** The job that calls it, however many workers run. */
// deno-lint-ignore explicit-module-boundary-types
export function translateWith(translate: Translate) {
  return defineJob({
    name: "translate",
    description: "Translate a text",
    input: z.object({ text: z.string(), language: z.string() }),
    concurrency: 2,
    rateLimit: { max: 100, per: 60_000 },
    run: async ({ text, language }) => {
      if (text === "") throw new ToolError("There is nothing to translate.");
      return { text: await translate(text, language) };
    },
  });
}
