/**
 * Our scripts, ready to run on a Redis.
 *
 * @module
 */
import type { IRedisClient } from "bullmq";
import { ownPrefix } from "../keys.ts";
import { refuseAway } from "../connection.ts";
import { SCRIPTS } from "./lua.ts";

type Arguments = readonly (string | number)[];

/** Our scripts on one Redis, with one prefix. */
export class RedisScripts {
  readonly #prefix: string;

  /** `client`: for what is one command of Redis and needs no script. `prefix` is BullMQ's. */
  constructor(readonly client: IRedisClient, prefix: string) {
    this.#prefix = ownPrefix(prefix);
    for (const [name, lua] of Object.entries(SCRIPTS)) {
      client.defineCommand(`mcp-jobs:${name}`, { numberOfKeys: 1, lua });
    }
  }

  /** The whole name of a key of ours. */
  key(name: string): string {
    return this.#prefix + name;
  }

  /** The arguments of `runCommand`, of the client or of a transaction. */
  command(name: keyof typeof SCRIPTS, ...args: Arguments): [string, (string | number)[]] {
    return [`mcp-jobs:${name}`, [this.#prefix, ...args]];
  }

  /** Runs a script, and trusts that it returns a `T`, as lua.ts says. */
  async run<T>(name: keyof typeof SCRIPTS, ...args: Arguments): Promise<T> {
    refuseAway(this.client);
    return await this.client.runCommand(...this.command(name, ...args));
  }
}
