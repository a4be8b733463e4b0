import { newTaskId } from "../../../backend.ts";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { MAX_HAND_BACKS } from "../../../src/backends/shared/record.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";

/** What a connection sends when it claims, and what the answer contains if there was a task. */
const CLAIM = "mcp_jobs_claim";
const CLAIMED = "PENDING";

/** A proxy that breaks a connection when the server has claimed a task, before its answer comes through. */
class LossyNetwork implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #server: URL;
  readonly #links: Promise<unknown>[] = [];
  /** How many answers are still to be lost. */
  left: number;

  constructor(url: string, losses: number) {
    this.#server = new URL(url);
    this.left = losses;
    this.#links.push(this.#accept());
  }

  get url(): string {
    const url = new URL(this.#server);
    url.host = `127.0.0.1:${this.#listener.addr.port}`;
    return url.href;
  }

  async #accept(): Promise<void> {
    const { hostname, port } = this.#server;
    for await (const client of this.#listener) {
      const server = await Deno.connect({ hostname, port: Number(port) });
      const decoder = new TextDecoder("latin1");
      let claiming = false;
      const requests = new TransformStream<Uint8Array, Uint8Array>({
        transform: (bytes, out) => {
          claiming = decoder.decode(bytes).includes(CLAIM);
          out.enqueue(bytes);
        },
      });
      const answers = new TransformStream<Uint8Array, Uint8Array>({
        transform: (bytes, out) => {
          const losing = this.left > 0 && claiming && decoder.decode(bytes).includes(CLAIMED);
          if (!losing) return out.enqueue(bytes);
          this.left--;
          out.error(new Error("The connection is broken."));
        },
      });
      const up = client.readable.pipeThrough(requests).pipeTo(server.writable);
      const down = server.readable.pipeThrough(answers).pipeTo(client.writable);
      this.#links.push(Promise.allSettled([up, down]));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#links);
  }
}

testUnless(
  noPostgres,
  "a claim whose answer is lost takes neither an attempt nor a hand-back from its task",
  async () => {
    const url = await emptyTables();
    await using network = new LossyNetwork(url, MAX_HAND_BACKS + 2);
    await using backend = await PostgresBackend.connect({ url: network.url, lease: 300 });
    const attempts: number[] = [];
    const run = (_: unknown, { attempt }: { readonly attempt: number }) => void attempts.push(attempt);
    await using _worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run })]);
    using feed = new TaskFeed(backend);
    const id = newTaskId();
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry });
    const { status, attempt } = await feed.wait(id, "ann", AbortSignal.timeout(60_000));
    assertEquals([network.left, attempts, status, attempt], [0, [1], "COMPLETED", 1]);
  },
);
