/**
 * A client that sends bytes as it likes.
 *
 * @module
 */

/** A TCP connection to a port of this machine. */
export class Connection implements Disposable {
  readonly #conn: Deno.TcpConn;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(port: number): Promise<Connection> {
    return new Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#conn.write(bytes.subarray(sent));
  }

  /** Reads until the text is complete, or the server ends the connection; that is the default. */
  async read(isComplete: (text: string) => boolean = () => false): Promise<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    for (let text = "";;) {
      if (isComplete(text)) return text;
      const length = await this.#conn.read(buffer).catch(nullIfReset);
      if (length === null) return text;
      text += decoder.decode(buffer.subarray(0, length), { stream: true });
    }
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** A server that ends a connection on which something still arrives resets it. */
function nullIfReset(error: unknown): null {
  if (error instanceof Deno.errors.ConnectionReset) return null;
  throw error;
}
