/**
 * Clients that measure every message they get: of both revisions, over HTTP without a network, and over stdio.
 *
 * @module
 */
import { type AsyncToolServer, createWorker, MemoryBackend } from "../../../mod.ts";
import { Raw } from "../http/support/raw.ts";
import type { StrategyName } from "../../interop/support/fixture.ts";
import { envelope, Events, request, TASKS } from "./modern.ts";
import { Pipe } from "./pipe.ts";
import { runInPlace } from "./program.ts";
import type { Fields, Message } from "./wire_message.ts";

/** The revisions that the clients speak. */
export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;

export type Revision = (typeof REVISIONS)[number];

/** A client of one revision, over one transport. */
export interface Client extends AsyncDisposable {
  /** The size of each message so far, in bytes. */
  readonly sizes: readonly number[];
  /** The messages so far that are not well-formed text. */
  illFormed(): readonly string[];
  /** Sends a request, and returns its answer. */
  ask(method: string, params?: Fields, capabilities?: Fields): Promise<Message>;
  /** Waits for the notification that a task has finished, or has one of these statuses: 2025-11-25 pushes it to the task's creator, 2026-07-28 to subscribers. */
  follow(taskId: string, statuses?: readonly string[]): Promise<Message>;
}

/** Connects to a server of its own, that of a module with `serverOf`. */
export async function connect(
  transport: "http" | "stdio",
  revision: Revision,
  strategy: StrategyName,
  module: URL,
): Promise<Client> {
  if (transport === "stdio") return await overStdio(revision, strategy, module);
  return await overHttp(revision, strategy, module);
}

/** JSON with an escaped half of a character, perhaps in a text that is itself JSON. */
const HALF = /\\ud[89a-f]/i;

const CLIENT = { name: "measures", version: "1.0.0" };

const FINISHED = ["completed", "failed", "cancelled"];

const announces = ({ method, params }: Message, taskId: string, statuses: readonly string[]) =>
  method?.startsWith("notifications/tasks") === true && params?.taskId === taskId && statuses.includes(params?.status);

async function overHttp(revision: Revision, strategy: StrategyName, module: URL): Promise<Client> {
  const backend = new MemoryBackend();
  const { serverOf } = await import(module.href);
  const server: AsyncToolServer = serverOf(strategy, backend);
  const opened = new AsyncDisposableStack();
  opened.defer(() => server.close());
  opened.use(createWorker(backend, server.registry.list().map(({ job }) => job), { grace: 0 }));
  const sizes: number[] = [];
  const illFormed: string[] = [];
  const receive = (text: string) => {
    sizes.push(text.length);
    if (HALF.test(text)) illFormed.push(text);
  };
  const fetch = async (request: Request) => measured(await server.fetch(request), receive);
  const close = { sizes, illFormed: () => illFormed, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  if (revision === "2025-11-25") {
    const raw = await Raw.open(fetch);
    const pushed = opened.use(await raw.listen());
    return {
      ...close,
      ask: (method, params) => raw.ask(method, params),
      async follow(taskId, statuses = FINISHED) {
        let message = await pushed.message();
        while (!announces(message, taskId, statuses)) message = await pushed.message();
        return message;
      },
    };
  }
  const url = new URL("http://localhost/mcp");
  return {
    ...close,
    async ask(method, params = {}, capabilities = TASKS) {
      await using events = new Events(await fetch(request(url, method, params, capabilities)));
      return await events.next(({ result, error }) => result !== undefined || error !== undefined);
    },
    async follow(taskId, statuses = FINISHED) {
      const notifications = { taskIds: [taskId] };
      await using events = new Events(await fetch(request(url, "subscriptions/listen", { notifications })));
      return await events.next((message) => announces(message, taskId, statuses));
    },
  };
}

/** Passes a response on, and reports the messages in it, with one character for each byte. */
function measured(response: Response, receive: (text: string) => void): Response {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const oneCharacterPerByte = new TextDecoder("latin1");
  let rest = "";
  const body = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(chunk);
        rest += oneCharacterPerByte.decode(chunk, { stream: true });
        const events = isStream ? rest.split("\n\n") : [rest];
        rest = events.pop() ?? "";
        for (const event of events) receive(/^data: (.*)$/m.exec(event)?.[1] ?? "");
      },
      flush: () => void (isStream || receive(rest)),
    }),
  );
  return new Response(body, response);
}

async function overStdio(revision: Revision, strategy: StrategyName, module: URL): Promise<Client> {
  const { serverOf } = await import(module.href);
  const pipe = new Pipe(runInPlace(serverOf(strategy)));
  const withEnvelope = (params: Fields, capabilities: Fields) => ({ ...params, _meta: envelope(capabilities) });
  if (revision === "2025-11-25") {
    await pipe.request("initialize", { protocolVersion: revision, capabilities: {}, clientInfo: CLIENT });
    await pipe.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  return {
    sizes: pipe.sizes,
    illFormed: () => pipe.messages.map((message) => JSON.stringify(message)).filter((text) => HALF.test(text)),
    ask: (method, params = {}, capabilities = TASKS) =>
      pipe.request(method, revision === "2025-11-25" ? params : withEnvelope(params, capabilities)),
    async follow(taskId, statuses = FINISHED) {
      if (revision === "2026-07-28") {
        const params = withEnvelope({ notifications: { taskIds: [taskId] } }, TASKS);
        await pipe.send({ jsonrpc: "2.0", id: `listen to ${taskId}`, method: "subscriptions/listen", params });
      }
      return await pipe.next((message) => announces(message, taskId, statuses));
    },
    [Symbol.asyncDispose]: () => pipe[Symbol.asyncDispose](),
  };
}
