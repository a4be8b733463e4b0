/**
 * What a client over HTTP gets if its server is killed or stopped while a call waits, with real processes on every durable
 * backend. The client does what the official ones do: it resumes its stream with the id of the last event.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { createWorker, implement } from "../../mod.ts";
import { lines } from "../../chaos/lines.ts";
import { ToolRegistry } from "../../strategy.ts";
import { ANONYMOUS } from "../../src/mcp/peer.ts";
import { listOf } from "../../src/tasks/starting/task_keys.ts";
import { assertEquals, assertMatch } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { Events, type Message, Raw } from "../mcp/http/support/raw.ts";
import { open, patient } from "./keyed_server.ts";
import { onEachStore } from "./stores.ts";

const SCRIPT = fileURLToPath(new URL("keyed_server.ts", import.meta.url));

/** A server process. */
class Server implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly url: string) {}

  /** Starts one, and waits until it listens. */
  static async start(store: string): Promise<Server> {
    const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", SCRIPT, store, "http"];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" }).spawn();
    for await (const url of lines(child.stdout)) return new Server(child, url);
    throw new Error("The server has ended before it listened.");
  }

  /** Sends it a request. */
  readonly fetch = async (request: Request): Promise<Response> => {
    const headers = new Headers(request.headers);
    headers.delete("host");
    const body = request.method === "POST" ? await request.text() : undefined;
    const response = await fetch(this.url, { method: request.method, headers, body });
    if (response.status === 202) await response.body?.cancel();
    return response;
  };

  /** Ends it with SIGTERM, as a deployment does. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.child.status;
  }

  /** Ends it with SIGKILL. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended already.
    }
    await this.child.status;
  }
}

/** Goes on with a session on another server. */
function elsewhere({ session }: Raw, { fetch }: Server): Raw {
  const raw = new Raw(fetch);
  raw.session = session;
  return raw;
}

/** Reads the ids of the events of a call that waits, until the server has said which task it waits for, and breaks off. */
async function idsOf(response: Response): Promise<{ readonly first: string; readonly last: string }> {
  const events = new Events(response);
  const [first, last] = [await events.next(), await events.next()];
  await events[Symbol.asyncDispose]();
  return { first: first?.id ?? "", last: last?.id ?? "" };
}

/** What a client gets whose server is killed, on one store. */
async function exercise(t: Deno.TestContext, store: string): Promise<void> {
  await using backend = await open(store);
  let runs = 0;
  let gate = Promise.withResolvers<void>();
  const run = async () => {
    const ran = ++runs;
    await gate.promise;
    return { ran };
  };
  await using worker = createWorker(backend, [implement(patient, run)], { concurrency: 4 });
  await worker.ready;
  const callFor = (name: string) => ({ name: "patient", arguments: { name } });
  const untilMarked = ({ arguments: input }: ReturnType<typeof callFor>, marked: boolean) => {
    const { owner, key } = listOf(new ToolRegistry().register(patient), input, ANONYMOUS.owner);
    return until(
      async () => (await backend.keys.readKey(owner, key) !== undefined) === marked,
      `the store ${marked ? "knows that the call waits" : "offers its task no more"}`,
    );
  };

  await t.step("the next server answers the call on its resumed stream, however often servers are killed", async () => {
    const call = callFor("Ada");
    const killed = await Server.start(store);
    const raw = await Raw.open(killed.fetch);
    const { last } = await idsOf(await raw.post("tools/call", call));
    await untilMarked(call, true);
    await killed[Symbol.asyncDispose]();

    const next = await Server.start(store);
    const again = await idsOf(await elsewhere(raw, next).send({ method: "GET", headers: { "last-event-id": last } }));
    await next[Symbol.asyncDispose]();

    await using third = await Server.start(store);
    await using resumed = await elsewhere(raw, third).listen(again.last || again.first);
    gate.resolve();
    const { id, result } = await resumed.message();
    assertEquals([id, result.structuredContent, runs], [raw.id, { ran: 1 }, 1]);

    // It has been answered: the same call is a new one, once the first server is known to be dead.
    await untilMarked(call, false);
    gate = Promise.withResolvers();
    gate.resolve();
    const { result: other } = await elsewhere(raw, third).ask("tools/call", call);
    assertEquals(other.structuredContent, { ran: 2 });
  });

  await t.step("a call of which the client knows no task gets an error; sent again, it receives its task", async () => {
    const call = callFor("Bob");
    gate = Promise.withResolvers();
    const killed = await Server.start(store);
    const raw = await Raw.open(killed.fetch);
    const { first } = await idsOf(await raw.post("tools/call", call));
    await untilMarked(call, true);
    await killed[Symbol.asyncDispose]();

    await using next = await Server.start(store);
    await using resumed = await elsewhere(raw, next).listen(first);
    const { id, error } = await resumed.message();
    assertEquals([id, error.code], [raw.id, -32603]);
    assertEquals(
      error.message,
      "This server does not have the request: it was restarted, or another process received it. Send it again.",
    );
    const again = elsewhere(raw, next).ask("tools/call", call);
    gate.resolve();
    assertEquals((await again).result.structuredContent, { ran: 3 });
  });
}

/** Reads a stream to its end. */
async function rest(events: Events): Promise<{ readonly last: string; readonly messages: readonly Message[] }> {
  const messages: Message[] = [];
  let last = "";
  for (let event = await events.next(); event; event = await events.next()) {
    last = event.id || last;
    if (event.message) messages.push(event.message);
  }
  return { last, messages };
}

/** What a client gets whose server is stopped, on one store. */
async function exerciseStopping(t: Deno.TestContext, store: string): Promise<void> {
  await using backend = await open(store);
  let gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  const run = async () => {
    const ran = ++runs;
    begun.resolve();
    await gate.promise;
    return { ran };
  };
  await using worker = createWorker(backend, [implement(patient, run)], { concurrency: 4 });
  await worker.ready;

  await t.step(
    "a plain call and a status that wait are answered at once, and the next server has the result",
    async () => {
      await using stopped = await Server.start(store);
      const raw = await Raw.open(stopped.fetch);
      const call = new Events(await raw.post("tools/call", { name: "patient", arguments: { name: "Ada" } }));
      await begun.promise;
      const { tasks: [task] } = await backend.list("anonymous", { limit: 1 });
      const other = await Raw.open(stopped.fetch);
      const input = { token: task?.id, wait_seconds: 25 };
      const status = new Events(await other.post("tools/call", { name: "task_status", arguments: input }));
      await status.next();
      const stopping = stopped.stop();
      for (const stream of [call, status]) {
        const { result } = (await rest(stream)).messages.at(-1) ?? {};
        assertEquals(result.structuredContent.token, task?.id);
        assertMatch(result.structuredContent.next, /^Call task_status with this token/);
      }
      await stopping;

      await using next = await Server.start(store);
      const read = elsewhere(raw, next).ask("tools/call", { name: "task_status", arguments: input });
      gate.resolve();
      assertEquals((await read).result.structuredContent.result, { ran: 1 });
    },
  );

  await t.step("tasks/result that waits ends without an answer, and is answered on the resumed stream", async () => {
    gate = Promise.withResolvers();
    await using stopped = await Server.start(store);
    const raw = await Raw.open(stopped.fetch);
    const taskId = await raw.start("patient", { name: "Bob" });
    const waiting = new Events(await raw.post("tasks/result", { taskId }));
    await waiting.next();
    const stopping = stopped.stop(); // Even if the client does not know yet what the next server is to answer.
    const { last, messages } = await rest(waiting);
    assertEquals(messages, []);
    await stopping;

    await using next = await Server.start(store);
    await using resumed = await elsewhere(raw, next).listen(last);
    gate.resolve();
    const { id, result } = await resumed.message();
    assertEquals([id, result.structuredContent], [raw.id, { ran: 2 }]);
  });
}

onEachStore("a call over HTTP whose server is killed", exercise);
onEachStore("a call over HTTP whose server is stopped", exerciseStopping);
