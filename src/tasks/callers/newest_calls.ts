/**
 * Which call with the same input began last, as the store has it from the moment that its task is stored. So a server that is
 * killed before its call is marked (`marks.ts`) leaves the task to the next call, too.
 *
 * @module
 */
import type { KeyStore, TaskMark } from "../../backend.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Heartbeat, OtherServers } from "./heartbeat.ts";
import type { ListName } from "./offer_lists.ts";
import { formatOffers, parseOffers } from "./offers.ts";
import type { Servers } from "./servers.ts";
import type { TaskReads } from "./task_reads.ts";

/** The newest call of a list: its task, and its server. */
interface NewestCall {
  readonly id: string;
  readonly server: string;
}

/** The newest calls of one server, and what it sees of those of others. */
export class NewestCalls {
  readonly #keys: KeyStore;
  readonly #heartbeat: Heartbeat;
  readonly #others: OtherServers;
  readonly #servers: Servers;

  constructor(keys: KeyStore, heartbeat: Heartbeat, others: OtherServers, servers: Servers) {
    this.#keys = keys;
    this.#heartbeat = heartbeat;
    this.#others = others;
    this.#servers = servers;
  }

  /** What is to be stored with the task of a call. Resolves once others can see that this server lives. */
  async mark(id: string, list: ListName): Promise<TaskMark> {
    await this.#heartbeat.begin();
    return { key: keyOf(list), text: textOf(id, this.#heartbeat.server) };
  }

  /** The newest call of a list, unless it is one of this server, whose calls are known. To read it costs as much as to store it. */
  async read(list: ListName): Promise<NewestCall | undefined> {
    if (!await this.#servers.others()) return undefined;
    const [{ id, server } = { id: "" }] = parseOffers(await this.#keys.named(list.owner, keyOf(list)));
    return server === undefined || server === this.#heartbeat.server ? undefined : { id, server };
  }

  /**
   * Takes over the task of the newest call if its server is dead and the task has not ended. Until its server is seen to live
   * it may be dead, so this waits for that, or for the end of the task. Of several calls only one receives the task.
   */
  async take(
    list: ListName,
    newest: NewestCall | undefined,
    { read, ended }: TaskReads,
  ): Promise<TaskInfo | undefined> {
    const task = newest && await read(newest.id);
    if (newest === undefined || task === undefined || isFinished(task) || task.stopRequested) return undefined;
    const over = new AbortController();
    try {
      // If it cannot be awaited, this server is shutting down.
      const hasEnded = ended(task, over.signal).then(() => false, () => false);
      const isLeft = await Promise.race([this.#others.isDead(newest.server, over.signal), hasEnded]);
      return isLeft && await this.takeFrom(newest, list) ? task : undefined;
    } finally {
      over.abort();
    }
  }

  /** Says that this server has taken over a call. Resolves with whether it was still the newest one. */
  async takeFrom({ id, server }: NewestCall, list: ListName): Promise<boolean> {
    await this.#heartbeat.begin();
    const ours = textOf(id, this.#heartbeat.server);
    return await this.#keys.rename(list.owner, keyOf(list), textOf(id, server), ours);
  }

  /** Forgets a call of this server, if it is the newest one. */
  async drop(id: string, list: ListName): Promise<void> {
    await this.#keys.rename(list.owner, keyOf(list), textOf(id, this.#heartbeat.server), undefined);
  }
}

function keyOf({ key }: ListName): string {
  return `${key}:new`;
}

function textOf(id: string, server: string): string {
  return formatOffers([{ id, server }]) ?? "";
}
