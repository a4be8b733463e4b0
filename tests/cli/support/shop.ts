/**
 * A place with tasks, in which commands run as from a shell.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { runCli } from "../../../src/cli/main.ts";
import { createClient, createWorker, defineJob, MemoryBackend, type TaskClient, ToolError } from "../../../mod.ts";
import { assertEquals } from "../../../tools/std.ts";

export const add = defineJob({
  name: "add",
  input: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => a + b,
});

export const refuse = defineJob({
  name: "refuse",
  input: z.object({}),
  run: (): string => {
    throw new ToolError("The card was\ndeclined.");
  },
});

export const talk = defineJob({
  name: "talk",
  input: z.object({}),
  run: async (_, { log }) => {
    await log("warning", "running\nlow \x1b[31m");
    await log("done");
  },
});

export const shout = defineJob({
  name: "shout",
  input: z.object({}),
  run: async (_, { log }): Promise<string> => {
    await log("\x9b31m");
    throw new ToolError("The screen is \x9b2J empty.");
  },
});

export const endless = defineJob({
  name: "endless",
  input: z.object({}),
  run: async (_, { signal, progress }) => {
    await progress(0.5, "half of it");
    await sleep(60_000, undefined, { signal });
  },
});

export const naps = defineJob({
  name: "naps",
  input: z.object({}),
  parkAfter: 0,
  run: (_, { sleep }) => sleep("an hour", 3_600_000),
});

/** A backend that the command line does not close, with a client and, unless told otherwise, a worker. */
export class Shop extends MemoryBackend {
  readonly client: TaskClient = createClient(this, { owner: "ann" });
  /** Whether tables may be made, for each time that a command has opened it; and how often one has closed it. */
  readonly opened: boolean[] = [];
  closings = 0;

  constructor({ works = true }: { readonly works?: boolean } = {}) {
    super();
    if (works) createWorker(this, [add, refuse, talk, shout, endless]);
  }

  override close(): Promise<void> {
    this.closings++;
    return Promise.resolve();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await super.close();
  }

  /** Runs a command, and resolves with what it wrote. */
  async run(
    args: string,
    { signal = new AbortController().signal, terminal, wrote }: Partial<Surroundings> = {},
  ): Promise<Said> {
    let [stdout, stderr] = ["", ""];
    const code = await runCli(`${args} --kv jobs.kv`.trim().split(" "), {
      terminal,
      write: (text) => {
        stdout += text;
        void wrote?.(text.trim());
      },
      say: (line) => stderr += `${line}\n`,
      signal,
      now: Date.now,
      open: ({ kv }, migrates) => {
        assertEquals(kv, "jobs.kv");
        this.opened.push(migrates);
        return Promise.resolve(this);
      },
    });
    return { code, stdout, stderr };
  }
}

/** What a command runs in. */
interface Surroundings {
  readonly signal: AbortSignal;
  readonly terminal: { readonly columns: number; readonly rows: number };
  /** Called with what was written to stdout. */
  readonly wrote: (text: string) => Promise<void>;
}

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
