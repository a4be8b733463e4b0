/**
 * Every way to wait for a task, in both revisions, on one server.
 *
 * @module
 */
import type { Backend, TaskInfo } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Events, request } from "../../support/modern.ts";
import type { Message } from "../../support/wire_message.ts";
import { Raw } from "./raw.ts";

const URL_2026 = new URL("http://localhost/mcp");

/** Waiting clients, each with a task of its own, which no worker runs. */
export interface Waiters extends AsyncDisposable {
  /** The response to each waiting request: `tasks/result`, then plain calls. */
  readonly answers: Promise<readonly Message[]>;
  /** The last message of each subscriber: what is pushed, and `subscriptions/listen`. */
  readonly ends: Promise<readonly Message[]>;
  /** What `tasks/get` says of the tasks of `answers` and `ends`, in the words of each revision. */
  readonly read: () => Promise<{ readonly [revision: string]: Message }>;
}

const isEnd = ({ params }: Message) => params?.status !== undefined && params.status !== "working";

/** Resolves once all of them wait. */
export async function wait(backend: Backend): Promise<Waiters> {
  const server = fixtureServer("operation", backend);
  const raw = await Raw.open(server.fetch);
  const modern = async (method: string, params: Record<string, unknown>, capabilities?: Record<string, unknown>) =>
    new Events(await server.fetch(request(URL_2026, method, params, capabilities)));
  const answerOf = async (events: Promise<Events>) => {
    await using stream = await events;
    return await stream.next(({ result, error }) => result !== undefined || error !== undefined);
  };
  const seen: TaskInfo[] = [];
  const stored = Promise.withResolvers<void>();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && event.task.job === "contract" && seen.push(event.task) === 4) stored.resolve();
  });
  const pushes = await raw.listen();
  const [asked, subscribed] = [await raw.start("contract"), await raw.start("contract")];
  const listener = await modern("subscriptions/listen", { notifications: { taskIds: [subscribed] } });
  await listener.next(({ params }) => params?.status === "working");
  const answers = Promise.all([
    raw.ask("tasks/result", { taskId: asked }),
    raw.ask("tools/call", { name: "contract", arguments: {} }),
    answerOf(modern("tools/call", { name: "contract", arguments: {} }, {})),
  ]);
  await stored.promise;
  stop();
  const pushed = async () => {
    for (let message = await pushes.message();; message = await pushes.message()) {
      if (message.params?.taskId === subscribed && isEnd(message)) return message;
    }
  };
  return {
    answers,
    ends: Promise.all([pushed(), listener.next(isEnd)]),
    read: async () => ({
      "2025-11-25": await raw.ask("tasks/get", { taskId: subscribed }),
      "2026-07-28": await answerOf(modern("tasks/get", { taskId: subscribed })),
    }),
    [Symbol.asyncDispose]: async () => {
      await listener[Symbol.asyncDispose]();
      await pushes[Symbol.asyncDispose]();
      await server.close();
    },
  };
}

/** Asserts that every waiting call and subscriber learns that the store has lost their task. */
export async function assertLost(waiters: Waiters): Promise<void> {
  const [asked, ...called] = await waiters.answers;
  const lost =
    "Cannot find task …: the id is unknown. Check that you have copied all of it. Tasks are deleted some time after they end.";
  const withoutId = (text?: string) => text?.replace(/"\S+"/, "…");
  assertEquals([asked?.error?.code, withoutId(asked?.error?.message)], [-32602, lost]);
  for (const { result } of called) assertEquals([result?.isError, withoutId(result?.content[0].text)], [true, lost]);
  const read = await waiters.read();
  const [pushed, listened] = await waiters.ends;
  const gone = ["failed", read["2025-11-25"]?.error?.message];
  assertEquals([pushed?.params?.status, pushed?.params?.statusMessage], gone);
  assertEquals([listened?.params?.status, listened?.params?.error], ["failed", read["2026-07-28"]?.error]);
}
