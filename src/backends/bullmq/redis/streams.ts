/**
 * Message streams on Redis: one sorted set each, whose members begin with the event's id.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../../backend.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** Stores messages for every server on the same Redis. */
export class RedisStreams implements StreamStore {
  readonly #scripts: RedisScripts;

  constructor(scripts: RedisScripts) {
    this.#scripts = scripts;
  }

  async append(stream: string, { id, text }: StreamEvent, ttl: number): Promise<void> {
    await this.#scripts.run("streamAppend", stream, id, text, ttl);
  }

  async readAfter(stream: string, id: string): Promise<readonly StreamEvent[]> {
    const members = await this.#scripts.run<readonly string[]>("streamRead", stream, id);
    return members.map((member) => {
      const end = member.indexOf("\n");
      return { id: member.slice(0, end), text: member.slice(end + 1) };
    });
  }

  async clear(stream: string): Promise<void> {
    await this.#scripts.run("streamClear", stream);
  }
}
