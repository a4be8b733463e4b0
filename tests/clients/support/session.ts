/**
 * A client under test, and what a model does with it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { serve } from "../../support/served.ts";
import { tableServer } from "./server.ts";

/** What a tool has returned to the client, as data. */
export type Answer = { readonly [key: string]: unknown };

/** A connected client. */
export interface Session extends AsyncDisposable {
  /** Calls a tool. Resolves with `undefined` if the client's own time limit has passed. */
  call(name: string, args: Answer): Promise<Answer | undefined>;
}

/** A server of the table: how to start it over stdio, or where it is. */
export interface Target {
  readonly command: string;
  readonly args: readonly string[];
  readonly url?: URL;
  /** How often the job has begun. */
  begun(): Promise<number>;
}

/** How many calls a model makes before it gives up. */
const MAX_CALLS = 20;

/** What a model does: it calls the tool, does what the handle says, and calls again after a time-out. */
export async function askForWork(
  { call }: Pick<Session, "call">,
  ms: number,
): Promise<{ readonly worked: unknown; readonly calls: number }> {
  let token: unknown;
  for (let calls = 1; calls <= MAX_CALLS; calls++) {
    const answer = await (token === undefined ? call("work", { ms }) : call("task_status", { token, wait_seconds: 1 }));
    if (answer === undefined) continue;
    const result = token === undefined ? answer : answer.result;
    if (typeof result === "object" && result !== null && "worked" in result) return { worked: result.worked, calls };
    token = answer.token;
  }
  throw new Error(`No result after ${MAX_CALLS} calls.`);
}

/**
 * Prepares a server over stdio, or serves over HTTP in this process until it was used. It answers a call within so many ms.
 */
export async function withServer(
  transport: "stdio" | "http",
  use: (target: Target) => Promise<void>,
  answerWithin = 1_000,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const log = `${folder}/begun`;
  await Deno.writeTextFile(log, "");
  const begun = async () => (await Deno.readTextFile(log)).split("\n").length - 1;
  const script = fileURLToPath(new URL("server.ts", import.meta.url));
  const target: Target = {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--allow-all", script, log, `${answerWithin}`],
    begun,
  };
  try {
    if (transport === "stdio") return await use(target);
    await using served = await serve(tableServer(log, answerWithin));
    await use({ ...target, url: served.url });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
