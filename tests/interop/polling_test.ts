import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { call, connectHttp, type Connection, connectStdio, readPages, serveHttp, textOf } from "./support/client.ts";

/** Starts a job with the polling tools, and returns its token. */
async function begin({ client }: Connection, job: string, input: Record<string, unknown> = {}): Promise<string> {
  const { structuredContent } = await call(client, `${job}_start`, input);
  return String(structuredContent?.token);
}

/** Asks for the status until it is the one that is awaited, at most 1,000 times. */
async function until({ client }: Connection, job: string, token: string, status: string) {
  for (let tries = 0; tries < 1_000; tries++) {
    const { structuredContent = {} } = await call(client, `${job}_status`, { token });
    if (structuredContent.status === status) return structuredContent;
  }
  throw new Error(`The ${job} task ${token} never became ${status}.`);
}

/** What the official client sees of the polling strategy, over either transport. */
const cases: Readonly<Record<string, (connection: Connection) => Promise<void>>> = {
  async "each job is four plain tools, three where it cannot be cancelled, and no native task"({ client }) {
    assertEquals(client.getServerCapabilities()?.tasks, undefined);
    const { tools } = await client.listTools();
    assert(tools.every(({ execution }) => execution === undefined));
    const named = (job: string) => tools.map(({ name }) => name).filter((name) => name.startsWith(`${job}_`));
    assertEquals(named("hold"), ["hold_start", "hold_status", "hold_result", "hold_cancel"]);
    assertEquals(named("stubborn"), ["stubborn_start", "stubborn_status", "stubborn_result"]);
    assert(tools.some(({ name }) => name === "ping"));
  },

  async "a job is started, followed and its result fetched by token"(connection) {
    const { client } = connection;
    const token = await begin(connection, "steps", { gate: "poll", end: "poll:end", steps: 4 });
    const early = await call(client, "steps_result", { token });
    assert(early.isError);
    assertStringIncludes(String(early.structuredContent?.error), "Call steps_status until it is COMPLETED");
    await call(client, "await_gate", { gate: "poll:started" });
    await call(client, "open_gate", { gate: "poll" });
    const running = await until(connection, "steps", token, "RUNNING");
    assertEquals(running.token, token);
    await call(client, "open_gate", { gate: "poll:end" });
    await until(connection, "steps", token, "COMPLETED");
    const done = await call(client, "steps_result", { token });
    assertEquals(done.structuredContent, { token, status: "COMPLETED", result: { taken: 4 } });
    assertEquals(JSON.parse(textOf(done)), done.structuredContent);
  },

  async "the status has progress and message"(connection) {
    const { client } = connection;
    const token = await begin(connection, "steps", { gate: "progress", end: "progress:end", steps: 1 });
    await call(client, "open_gate", { gate: "progress" });
    let status = await until(connection, "steps", token, "RUNNING");
    for (let tries = 0; status.progress === undefined && tries < 1_000; tries++) {
      status = await until(connection, "steps", token, "RUNNING");
    }
    assertEquals(status, { token, status: "RUNNING", progress: 0.5, message: "step 1 of 1" });
    await call(client, "open_gate", { gate: "progress:end" });
  },

  async "cancelling stops the code, and a second time is refused"(connection) {
    const { client } = connection;
    const token = await begin(connection, "hold", { gate: "poll cancel" });
    await call(client, "await_gate", { gate: "poll cancel:started" });
    const cancelled = await call(client, "hold_cancel", { token });
    assertEquals(cancelled.structuredContent?.status, "CANCELLED");
    assertStringIncludes(textOf(await call(client, "await_gate", { gate: "poll cancel:aborted" })), "cancelled");
    const again = await call(client, "hold_cancel", { token });
    assert(again.isError);
    assertStringIncludes(String(again.structuredContent?.error), "already CANCELLED");
  },

  async "a failed task's result is an error that carries `error`"(connection) {
    for (
      const [job, input, error] of [
        ["fail", { what: "error" }, "The disk is full."],
        ["fault", {}, "The engine is on fire."],
      ] as const
    ) {
      const token = await begin(connection, job, input);
      assertEquals((await until(connection, job, token, "FAILED")).message, error);
      const result = await call(connection.client, `${job}_result`, { token });
      assertEquals([result.isError, result.structuredContent], [true, { token, status: "FAILED", error }]);
    }
  },

  async "a result of 2 MB is only at its resource"(connection) {
    const token = await begin(connection, "big", { size: 2_000_000 });
    await until(connection, "big", token, "COMPLETED");
    const { structuredContent } = await call(connection.client, "big_result", { token });
    assertEquals(structuredContent?.status, "COMPLETED");
    const whole = await readPages(connection.client, String(structuredContent?.resource));
    assertEquals(JSON.parse(whole).text.length, 2_000_000);
  },

  async "an unknown token is an error, and one of another job an error that names the job"(connection) {
    const token = await begin(connection, "nothing");
    const misplaced = await call(connection.client, "hold_status", { token });
    assertEquals(misplaced.isError, true);
    assertStringIncludes(textOf(misplaced), "is a task of nothing, not of hold");
    for (const strange of ["constructor", ""]) {
      const answer = await call(connection.client, "hold_status", { token: strange });
      assertEquals(answer.isError, true);
      assertStringIncludes(textOf(answer), "the id is unknown");
    }
  },
};

for (const name of ["stdio", "http"] as const) {
  Deno.test(`the polling strategy serves the official client over ${name}`, async (t) => {
    await using http = name === "http" ? await serveHttp("polling") : undefined;
    await using connection = http ? await connectHttp(http.url) : await connectStdio("polling");
    for (const [sentence, run] of Object.entries(cases)) await t.step(sentence, () => run(connection));
  });
}
