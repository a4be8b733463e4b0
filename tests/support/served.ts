import type { AsyncToolServer, WorkerOptions } from "../../mod.ts";

/** A server that serves HTTP in this process; disposing of it ends its run. */
export interface Served extends AsyncDisposable {
  readonly url: URL;
}

/** Serves over HTTP on any free port, with a worker. */
export async function serve(server: AsyncToolServer, worker: WorkerOptions = {}): Promise<Served> {
  const end = new AbortController();
  const listening = Promise.withResolvers<string>();
  const { signal } = end;
  const running = server.run({ transport: "http", port: 0, worker, signal, onListen: listening.resolve });
  return {
    url: new URL(await listening.promise),
    [Symbol.asyncDispose]: () => {
      end.abort();
      return running;
    },
  };
}
