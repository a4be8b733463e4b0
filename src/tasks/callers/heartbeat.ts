/**
 * How servers show each other that they live: while calls wait in a server, it counts up a number in the store. If the
 * number does not change for a while, the server is dead. So no clocks are compared.
 *
 * @module
 */
import type { KeyStore } from "../../backend.ts";
import type { OnError } from "../../log/on_error.ts";
import { pause } from "../../waiting.ts";

/** How often a server counts, in ms. */
const BEAT_MS = 1_000;

/** The pause between two reads of another server's number, in ms. */
const READ_PAUSE_MS = 100;

/** After so many reads of the same number, a server is dead: it has not counted for 3 s. */
const DEAD_READS = 30;

/** The owner of the servers' own keys. */
const SERVERS = "";

/** What others see of this server. */
export class Heartbeat {
  readonly server: string = crypto.randomUUID();
  readonly #keys: KeyStore;
  readonly #isNeeded: () => boolean;
  readonly #onError: OnError;
  #count = 0;
  #last: string | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;
  /** The writes so far, one after another. */
  #written: Promise<void> = Promise.resolve();

  /** `isNeeded`: whether to go on counting. */
  constructor(keys: KeyStore, isNeeded: () => boolean, onError: OnError) {
    this.#onError = onError;
    this.#keys = keys;
    this.#isNeeded = isNeeded;
  }

  /** Begins to count, unless it does already. Resolves once others can see it. */
  async begin(): Promise<void> {
    if (this.#timer === undefined && !this.#stopped) {
      this.#timer = setInterval(() => this.#write(() => this.#isNeeded() ? this.#beat() : this.#end()), BEAT_MS);
      this.#write(() => this.#beat());
    }
    await this.#written;
  }

  /** Stops counting at once, for good. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Stops counting for good, and removes the number. */
  async close(): Promise<void> {
    this.stop();
    this.#write(() => this.#end());
    await this.#written;
  }

  #write(act: () => Promise<void>): void {
    this.#written = this.#written.then(act).catch((error) =>
      this.#onError(error, { where: "say that this server lives" })
    );
  }

  async #beat(): Promise<void> {
    const next = `${++this.#count}`;
    while (!await this.#keys.writeKey(SERVERS, nameOf(this.server), this.#last, next)) {
      // Another server has removed the number because it stood still.
      this.#last = await this.#keys.readKey(SERVERS, nameOf(this.server));
    }
    this.#last = next;
  }

  async #end(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#last !== undefined) await this.#keys.writeKey(SERVERS, nameOf(this.server), this.#last, undefined);
    this.#last = undefined;
  }
}

/** What this server sees of others. */
export class OtherServers {
  readonly #keys: KeyStore;
  readonly #checks = new Map<string, Promise<boolean>>();
  /** The number of a server, and how often it was read. A check that failed leaves it to the next one. */
  readonly #seen = new Map<string, { readonly count: string; readonly reads: number }>();

  constructor(keys: KeyStore) {
    this.#keys = keys;
  }

  /** Whether a server is dead. That may take 3 s to see. */
  isDead(server: string): Promise<boolean> {
    const check = this.#checks.get(server) ?? this.#check(server).finally(() => this.#checks.delete(server));
    this.#checks.set(server, check);
    return check;
  }

  /** Counts its reads instead of comparing times: a clock may be set, and this process or its machine may sleep. */
  async #check(server: string): Promise<boolean> {
    let first: string | undefined;
    while (true) {
      const count = await this.#keys.readKey(SERVERS, nameOf(server));
      // A number read earlier says nothing about now: it must change between two reads.
      first ??= count;
      if (count === undefined || count !== first) {
        this.#seen.delete(server);
        return count === undefined;
      }
      const seen = this.#seen.get(server);
      const reads = seen?.count === count ? seen.reads + 1 : 1;
      this.#seen.set(server, { count, reads });
      if (reads > DEAD_READS) await this.#keys.writeKey(SERVERS, nameOf(server), count, undefined);
      await pause(READ_PAUSE_MS);
    }
  }
}

function nameOf(server: string): string {
  return `server:${server}`;
}
