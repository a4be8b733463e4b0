/**
 * A network between a test and a database server, that can be long, can lose what is connected without a word to either
 * side, and can lead elsewhere from then on.
 *
 * @module
 */
import { pause } from "../../../src/waiting.ts";

/** Two connections, from each of which all is passed on to the other until they are cut off. */
interface Link {
  readonly ends: readonly [Deno.TcpConn, Deno.TcpConn];
  cut: boolean;
  /** What was sent to the server since it was cut off, as the sender's system keeps it to send it again. */
  unsent?: Uint8Array[];
  /** How whoever connected has left it. */
  left?: "closed" | "reset";
  /** Resolves once the server sends no more. */
  answered?: Promise<void>;
}

/** The URL of a server that is not there. */
const NOWHERE = "tcp://127.0.0.1:1";

/** A TCP proxy in front of a database server. */
export class Network implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #delay: number;
  readonly #links = new Set<Link>();
  readonly #open: Promise<unknown>[] = [];
  #server: string;
  #silent = false;
  #closed = false;
  /** How many new connections have found nobody. */
  refused = 0;

  /** Stands in front of the server at a URL, with a way of so many ms to it, and as many back. */
  constructor(server: string, delay = 0) {
    this.#server = server;
    this.#delay = delay;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#open.push(this.#accept());
  }

  /** The URL of the server behind it, as it is reached from before it. */
  get url(): string {
    return this.#server.replace(new URL(this.#server).host, `127.0.0.1:${this.#listener.addr.port}`);
  }

  /**
   * From now on nothing comes through on the connections that there are, and neither side is told. With `silent` the
   * same happens to every new one, until the network is mended.
   */
  cut({ silent = false }: { readonly silent?: boolean } = {}): void {
    this.#silent = silent;
    for (const link of this.#links) link.cut = true;
  }

  /**
   * As `cut`, but what is sent on the connections that there are is kept, and new ones are refused. The returned function
   * mends that: what was sent reaches the server once its connection is closed, unless it was reset. As TCP does it: a
   * system goes on sending for a connection that its process has closed.
   */
  hold(): () => Promise<void> {
    this.cut();
    const links = [...this.#links];
    for (const link of links) link.unsent = [];
    const server = this.#server;
    this.#server = NOWHERE;
    return async () => {
      this.#server = server;
      await Promise.all(links.map(arrive));
    };
  }

  /** How each connection was left by whoever made it; `undefined` if it is open. */
  get left(): readonly Link["left"][] {
    return [...this.#links].map(({ left }) => left);
  }

  /** How many connections are still open on which something was sent since `hold`. */
  get stuck(): number {
    return [...this.#links].filter(({ unsent = [], left }) => unsent.length > 0 && left === undefined).length;
  }

  /** Closes the connections that there are. With `silent` nothing comes through on new ones, as with `cut`. */
  drop({ silent = false }: { readonly silent?: boolean } = {}): void {
    this.#silent = silent;
    for (const { ends } of this.#links) ends.forEach(close);
    this.#links.clear();
  }

  /** Closes the connections that there are, and refuses new ones until the returned function is called. */
  refuse(): () => void {
    const server = this.#server;
    this.#server = NOWHERE;
    this.drop();
    return () => void (this.#server = server);
  }

  /** How many connections were made since the last `drop`. */
  get made(): number {
    return this.#links.size;
  }

  /** New connections lead to another server, as after a failover; those that there are stay where they are. */
  leadTo(server: string): void {
    this.#server = server;
  }

  /** New connections come through again. */
  mend(): void {
    this.#silent = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const { ends } of this.#links) ends.forEach(close);
    await Promise.all(this.#open);
  }

  async *#connections(): AsyncIterable<Deno.TcpConn> {
    while (!this.#closed) {
      try {
        yield await this.#listener.accept();
      } catch (error) {
        // It may have been reset already; any other error is the end.
        if (!(error instanceof Deno.errors.NotConnected)) return;
      }
    }
  }

  async #accept(): Promise<void> {
    for await (const near of this.#connections()) {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(this.#server).port) }).catch(() =>
        close(near)
      );
      if (!far) { // Nobody is there.
        this.refused++;
        continue;
      }
      if (this.#closed) [near, far].forEach(close);
      const link: Link = { ends: [near, far], cut: this.#silent };
      this.#links.add(link);
      link.answered = pass(far, near, link, this.#delay);
      this.#open.push(pass(near, far, link, this.#delay), link.answered);
    }
  }
}

async function pass(from: Deno.TcpConn, to: Deno.TcpConn, link: Link, delay: number): Promise<void> {
  const buffer = new Uint8Array(65_536);
  let passed = Promise.resolve();
  let way: Promise<void> | undefined;
  let left: Link["left"] = "closed";
  try {
    for (let size = await from.read(buffer); size !== null; size = await from.read(buffer)) {
      const bytes = buffer.slice(0, size);
      if (link.unsent && from === link.ends[0]) {
        link.unsent.push(bytes);
        continue;
      }
      const arrived = way = delay > 0 ? pause(delay) : undefined;
      passed = passed.then(() => arrived).then(() => write(to, bytes, link));
      passed.catch(() => {});
      if (delay === 0) await passed;
    }
    await passed;
  } catch (error) {
    // Otherwise one of the two is closed.
    if (error instanceof Deno.errors.ConnectionReset) left = "reset";
  }
  if (from === link.ends[0]) link.left = left;
  if (!link.cut) link.ends.forEach(close);
  await way; // What was on its way when the connection was closed leaves no timer.
}

/** Lets the server have what was sent on a link since it was cut off. */
async function arrive({ ends: [, far], unsent = [], left, answered }: Link): Promise<void> {
  if (left !== "closed") return;
  for (const bytes of unsent) await write(far, bytes, { cut: false });
  await far.closeWrite();
  await answered;
}

async function write(to: Deno.TcpConn, bytes: Uint8Array, link: Pick<Link, "cut">): Promise<void> {
  for (let sent = 0; sent < bytes.length && !link.cut;) sent += await to.write(bytes.subarray(sent));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}
