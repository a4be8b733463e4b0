/**
 * What a call gets that fails: a result wherever a model can do something about it, because LangChain and others end the
 * agent's run after a JSON-RPC error. The page on the protocol says the same.
 *
 * @module
 */
import { z } from "zod";
import {
  AsyncToolServer,
  BackendError,
  createWorker,
  defineJob,
  type ExposureStrategy,
  type Job,
  JobFault,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
  type TaskInfo,
} from "../../../mod.ts";
import type { NewTask } from "../../../backend.ts";
import { InvalidValue } from "../../../src/errors.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { Reported } from "../../support/errors.ts";
import { Raw } from "../http/support/raw.ts";
import { Events, request, TASKS } from "../support/modern.ts";
import type { Fields, Message } from "../support/wire_message.ts";

/** How storing a task of each of these jobs fails. */
const FAILURES: { readonly [job: string]: Error } = {
  unstorable: new BackendError("Cannot reach secret-host."),
  too_large: new InvalidValue("the input has 17000000 bytes as JSON; the most that can be stored is 16777216"),
  buggy: new TypeError("secret is not a function"),
};

class FailingBackend extends MemoryBackend {
  override async create(task: NewTask): Promise<TaskInfo> {
    const failure = FAILURES[task.job];
    if (failure) throw failure;
    return await super.create(task);
  }
}

/** A server whose jobs fail, each in its own way, with a worker. */
class Stage implements AsyncDisposable {
  readonly #backend = new FailingBackend();
  readonly #server: AsyncToolServer;
  readonly reported = new Reported();

  constructor(strategy?: ExposureStrategy) {
    const { onError } = this.reported;
    const options = { name: "test", version: "1.0.0", backend: this.#backend, strategy, onError };
    this.#server = new AsyncToolServer({ ...options, limits: { inputBytes: 1_000 } });
    const input = z.object({ text: z.string().optional() });
    const add = (name: string, run: Job["run"] = () => null) => defineJob({ name, input, attempts: 1, run });
    const jobs = [
      ...Object.keys(FAILURES).map((name) => add(name)),
      add("throwing", () => {
        throw new Error("The page is gone.");
      }),
      add("faulty", () => {
        throw new JobFault("The licence has expired.", -31_000);
      }),
      add("cancelled", async (_, { id }) => void await this.#backend.cancel(id, "anonymous", 0)),
      add("echo"),
    ];
    for (const job of jobs) this.#server.registerAsyncTool(job);
    this.#server.registerAsyncTool(add("long"), { taskSupport: "required" });
    createWorker(this.#backend, jobs);
  }

  /** The answer to a call in revision 2026-07-28. */
  async call(params: Fields, capabilities: Fields = {}): Promise<Message> {
    const url = new URL("http://localhost/mcp");
    await using stream = new Events(await this.#server.fetch(request(url, "tools/call", params, capabilities)));
    return await stream.next(({ result, error }) => (result ?? error) !== undefined);
  }

  /** The answer to a call in revision 2025-11-25. */
  async callOlder(params: Fields): Promise<Message> {
    const raw = await Raw.open(this.#server.fetch);
    return await raw.ask("tools/call", params);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

/** How an answer says that its call has failed, in the words of the page. */
function kindOf({ result, error }: Message): string {
  if (error) return error.code === -31_000 ? "its code" : `${error.code}`;
  return result?.isError ? "a tool error" : "no error";
}

const echo = (args: unknown) => ({ name: "echo", arguments: args });

/** The calls for the rows of the page; where `refused`, a call with tasks is answered before there is a task. */
const ROWS: { readonly [what: string]: { readonly calls: readonly Fields[]; readonly refused?: boolean } } = {
  "the job throws an error or `ToolError`": { calls: [{ name: "throwing" }] },
  "the job throws `JobFault`": { calls: [{ name: "faulty" }] },
  "somebody else cancels the task, or it ends with another fault": { calls: [{ name: "cancelled" }] },
  "the input does not fit its schema": { calls: [echo({ text: 7 })], refused: true },
  "a limit is reached": { calls: [echo({ text: "x".repeat(1_001) })], refused: true },
  "the input is too large to be stored": { calls: [{ name: "too_large" }], refused: true },
  "a token is unknown": { calls: [{ name: "task_status", arguments: { token: "7" } }] },
  "the store fails": { calls: [{ name: "unstorable" }], refused: true },
  "the tool is unknown, or the request is malformed": { calls: [{ name: "nope" }, echo([])], refused: true },
  "the job can only run as a task": { calls: [{ name: "long" }] },
  "this package has a bug": { calls: [{ name: "buggy" }], refused: true },
};

Deno.test("the page on the protocol says what a failing call gets", async (t) => {
  const page = await Deno.readTextFile(new URL("../../../docs/protocol.md", import.meta.url));
  await using stage = new Stage();
  for (const [what, { calls, refused }] of Object.entries(ROWS)) {
    await t.step(what, async () => {
      const row = page.split("\n").find((line) => line.startsWith(`| ${what} `));
      assert(row !== undefined, "The page has no such row.");
      const [, , plain = "", withTasks = ""] = row.split("|");
      const said = (cell: string) => new Set(cell.match(/a tool error|its code|-32\d{3}/g));
      const found = async (ways: readonly ((params: Fields) => Promise<Message>)[]) => {
        const answers = calls.flatMap((params) => ways.map((way) => way(params)));
        return new Set((await Promise.all(answers)).map(kindOf));
      };
      assertEquals(await found([(params) => stage.call(params), (params) => stage.callOlder(params)]), said(plain));
      if (!refused) return;
      const both = [
        (params: Fields) => stage.call(params, TASKS),
        (params: Fields) => stage.callOlder({ ...params, task: {} }),
      ];
      assertEquals(await found(both), said(withTasks));
    });
  }
});

Deno.test("a model is told that the store has failed, and to try again later; why is for the operator alone", async () => {
  const start = { arguments: {} };
  const calls: readonly [strategy: ExposureStrategy | undefined, call: Fields][] = [
    [undefined, { name: "unstorable", ...start }],
    [new OperationResourceStrategy(), { name: "unstorable", ...start }],
    [new PollingExposureStrategy(), { name: "unstorable_start", ...start }],
    [new SingleToolExposureStrategy(), { name: "unstorable", arguments: { action: "start" } }],
  ];
  for (const [strategy, call] of calls) {
    await using stage = new Stage(strategy);
    const { result } = await stage.call(call);
    const text = "The server's store failed. Try again later. The server's log has the reason.";
    assertEquals([result?.content, result?.isError], [[{ type: "text", text }], true]);
    assertEquals(stage.reported.all, [{ error: FAILURES.unstorable, where: "answer a request" }]);
  }
});

Deno.test("a model is told how large an input may be that cannot be stored", async () => {
  await using stage = new Stage();
  const { result } = await stage.callOlder({ name: "too_large", arguments: {} });
  assertStringIncludes(result?.content[0].text, "the most that can be stored is 16777216");
});
