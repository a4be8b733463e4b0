/**
 * Our scripts, ready to run on a Redis.
 *
 * @module
 */
import type { IRedisClient } from "bullmq";
import type { Deadline } from "../../../shared/deadline.ts";
import { ownPrefix } from "../keys.ts";
import { refuseAway } from "../connection.ts";
import { SCRIPTS } from "./lua.ts";

type Arguments = readonly (string | number)[];

/** Our scripts on one Redis, with one prefix. */
export class RedisScripts {
  readonly #prefix: string;

  /**
   * `client`: for what is one command of Redis and needs no script. `prefix` is BullMQ's. `deadline`: how long an answer may
   * take.
   */
  constructor(readonly client: IRedisClient, prefix: string, readonly deadline: Deadline) {
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

  /** Runs a script, and trusts that it returns a `T`, as lua.ts says. Rejects if the answer takes longer than the deadline. */
  run<T>(name: keyof typeof SCRIPTS, ...args: Arguments): Promise<T> {
    return this.deadline.wait(this.send<T>(name, ...args));
  }

  /** As `run`, without the deadline. */
  async send<T>(name: keyof typeof SCRIPTS, ...args: Arguments): Promise<T> {
    refuseAway(this.client);
    return await this.client.runCommand(...this.command(name, ...args));
  }
}
