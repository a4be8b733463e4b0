/**
 * A real Chromium, for tests, measurements and screenshots of the live page.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";
import { canRun } from "../processes.ts";

const COMMANDS: readonly string[] = ["chromium", "chromium-browser", "google-chrome"];

const [command] = await Array.fromAsync(COMMANDS, async (name) => await canRun(name, "--version") ? [name] : [])
  .then((found) => found.flat());

/** Why tests with a browser are left out, if they are. */
export const noChromium: string | undefined = command === undefined ? "install chromium" : undefined;

/** Starts it. */
export async function startChromium(): Promise<Browser> {
  const executablePath = await pathOf(command ?? "");
  // As root, which containers are, Chromium has no sandbox; here it opens only our own page.
  return await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

async function pathOf(name: string): Promise<string> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${folder}/${name}`;
    if (name !== "" && await Deno.stat(path).then(() => true, () => false)) return path;
  }
  throw new Error("Cannot start Chromium: it is not on the PATH. Install it.");
}
