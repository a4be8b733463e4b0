/**
 * A network that breaks a connection when PostgreSQL has answered, before the answer comes through: what was asked for is
 * stored, and whoever asked does not learn of it.
 *
 * @module
 */

/** A TCP proxy in front of a PostgreSQL. */
export class LossyNetwork implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #server: URL;
  readonly #loses: (request: string, answer: string) => boolean;
  readonly #links: Promise<unknown>[] = [];
  #cut = new AbortController();
  /** How many answers are still to be lost. */
  left: number;

  /** Loses the first `losses` answers for which `loses` is true; it gets what was last sent, and the answer. */
  constructor(url: string, losses: number, loses: (request: string, answer: string) => boolean) {
    this.#server = new URL(url);
    this.#loses = loses;
    this.left = losses;
    this.#links.push(this.#accept());
  }

  /** The URL of the server behind it, as it is reached from before it. */
  get url(): string {
    const url = new URL(this.#server);
    url.host = `127.0.0.1:${this.#listener.addr.port}`;
    return url.href;
  }

  /** Breaks all connections. PostgreSQL goes on with the statements that it has begun. */
  cut(): void {
    this.#cut.abort(new Error("The connection is broken."));
    this.#cut = new AbortController();
  }

  async #accept(): Promise<void> {
    const { hostname, port } = this.#server;
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname, port: Number(port) });
      const decoder = new TextDecoder("latin1");
      let request = "";
      const requests = new TransformStream<Uint8Array, Uint8Array>({
        transform: (bytes, out) => {
          request = decoder.decode(bytes);
          out.enqueue(bytes);
        },
      });
      const answers = new TransformStream<Uint8Array, Uint8Array>({
        transform: (bytes, out) => {
          if (this.left === 0 || !this.#loses(request, decoder.decode(bytes))) return out.enqueue(bytes);
          this.left--;
          out.error(new Error("The connection is broken."));
        },
      });
      const { signal } = this.#cut;
      const up = client.readable.pipeThrough(requests).pipeTo(server.writable, { signal });
      const down = server.readable.pipeThrough(answers).pipeTo(client.writable, { signal });
      this.#links.push(Promise.allSettled([up, down]));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#links);
  }
}
