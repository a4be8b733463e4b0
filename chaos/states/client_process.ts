/** A client in a process of its own, as client.ts has it. */
import { fileURLToPath } from "node:url";
import { lines } from "../lines.ts";
import type { Asked, ClientReply, ClientRequest } from "./client.ts";

const SCRIPT = fileURLToPath(new URL("./client.ts", import.meta.url));

/** What a client is to do; the call's number is added. */
type Request = ClientRequest extends infer R ? R extends ClientRequest ? Omit<R, "call"> : never : never;

/** One client. */
export class ClientProcess {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #calls = new Map<number, PromiseWithResolvers<string>>();
  readonly #read: Promise<void>;
  #last = 0;

  readonly #onAsked: (asked: Asked) => void;

  /** Starts it; `args` are those of its server. `onAsked` receives what it is asked. */
  constructor(args: readonly string[], onAsked: (asked: Asked) => void) {
    this.#onAsked = onAsked;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-kv", SCRIPT, ...args],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = this.#readReplies();
  }

  /** Starts a task, and resolves with its id. */
  start(tool: string, input: { readonly [name: string]: unknown }): Promise<string> {
    return this.#call({ does: "start", tool, input });
  }

  /** Waits for the end of a task, and accepts what it asks. Resolves with how it ended. */
  await(id: string): Promise<string> {
    return this.#call({ does: "await", id });
  }

  /** Kills its server with SIGKILL. */
  async killServer(): Promise<void> {
    await this.#call({ does: "kill server" });
  }

  /** Kills it with SIGKILL. What it was to do rejects. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end();
  }

  /** Lets it end in peace. */
  async stop(): Promise<void> {
    await this.#input.close();
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#child.status;
    await this.#read;
    await this.#input.abort().catch(() => {}); // Its end is closed already.
  }

  async #call(request: Request): Promise<string> {
    const call = ++this.#last;
    const reply = Promise.withResolvers<string>();
    this.#calls.set(call, reply);
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify({ call, ...request })}\n`));
    return await reply.promise;
  }

  async #readReplies(): Promise<void> {
    for await (const line of lines(this.#child.stdout)) {
      const reply: ClientReply = JSON.parse(line);
      if ("asked" in reply) {
        this.#onAsked(reply.asked);
        continue;
      }
      this.#calls.get(reply.call)?.resolve(reply.text);
      this.#calls.delete(reply.call);
    }
    for (const { reject } of this.#calls.values()) reject(new Error("The client has ended."));
  }
}
