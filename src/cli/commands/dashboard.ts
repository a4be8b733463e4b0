/**
 * `mcp-jobs dashboard`: the live page.
 *
 * @module
 */
import { serveDashboard } from "../../dashboard/mod.ts";
import { whenAborted } from "../../waiting.ts";
import { type Command, command } from "../command.ts";
import { number } from "../option.ts";
import { show } from "../output.ts";

export const dashboard: Command = command({
  name: "dashboard",
  about: "Serve a live page of all tasks on 127.0.0.1, and print its URL",
  operands: [],
  options: { port: number("PORT", "the port; default: any free one", 0, 65_535) },
  run: async ({ backend, options: { port }, out, signal }) => {
    await using served = await serveDashboard(backend, { port });
    show(out, { url: served.url }, () => served.url);
    out.say("Whoever knows this URL can see and stop all tasks. Press Ctrl+C to end the page.");
    await whenAborted(signal);
  },
});
