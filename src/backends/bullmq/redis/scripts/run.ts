/**
 * Our scripts, ready to be run on a Redis.
 *
 * @module
 */
import type { IRedisClient } from "bullmq";
import { SCRIPTS } from "./lua.ts";

type Arguments = readonly (string | number)[];

/** Our scripts on one Redis, with one prefix. */
export class RedisScripts {
  readonly client: IRedisClient;
  readonly #prefix: string;

  /** `prefix` is BullMQ's. */
  constructor(client: IRedisClient, readonly prefix: string) {
    this.client = client;
    this.#prefix = `${prefix}:mcp-jobs:`;
    for (const [name, lua] of Object.entries(SCRIPTS)) {
      client.defineCommand(`mcp-jobs:${name}`, { numberOfKeys: 1, lua });
    }
  }

  /** What is to be handed to `runCommand`, of the client or of a transaction. */
  command(name: keyof typeof SCRIPTS, ...args: Arguments): [string, (string | number)[]] {
    return [`mcp-jobs:${name}`, [this.#prefix, ...args]];
  }

  /** Runs a script. What it gives stands in `scripts.ts`; it is trusted to be so. */
  async run<T>(name: keyof typeof SCRIPTS, ...args: Arguments): Promise<T> {
    return await this.client.runCommand(...this.command(name, ...args));
  }
}
