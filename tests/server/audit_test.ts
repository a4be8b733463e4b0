import { fileURLToPath } from "node:url";
import type { AuditEvent } from "../../mod.ts";
import { AuditLog, auditOf } from "../../src/server/audit_log.ts";
import { RepeatedRefusals } from "../../src/server/repeated_refusals.ts";
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";
import { Pipe } from "../mcp/support/pipe.ts";
import { startProcess } from "../mcp/support/program.ts";
import { Reported } from "../support/errors.ts";
import { assert, assertEquals, FakeTime } from "../../tools/std.ts";

const AT = "2026-11-22T12:00:00.000Z";

function refused(more: Partial<AuditEvent> & { readonly count?: number } = {}): AuditEvent {
  return { at: AT, event: "refused", operation: "read", principal: "ann", reason: "No.", ...more };
}

/** A log, and the lines that it has written. */
function stage() {
  const lines: string[] = [];
  const log = new AuditLog({ write: (line) => lines.push(line), [Symbol.asyncDispose]: () => Promise.resolve() });
  return { log, lines, events: () => lines.map((line) => JSON.parse(line)) };
}

Deno.test("an event of the audit log is one line of JSON", async () => {
  const { log, lines } = stage();
  await using _ = log;
  const event: AuditEvent = { at: AT, event: "created", principal: "ann", operation: "create" };
  log.write(event);
  assertEquals(lines, [JSON.stringify(event)]);
});

Deno.test("characters that control a terminal or disguise a text are escaped in the whole log", async () => {
  const { log, lines, events } = stage();
  await using _ = log;
  // C0 and C1 controls, DEL, line separators, bidirectional controls and invisible characters, also beyond the first plane.
  const signs =
    "\u0000\u001b\u007f\u0080\u009b\u009f\u2028\u2029\u061c\u200e\u202a\u202e\u2066\u2069\u200b\ufeff\u{e0041}";
  const event = refused({
    principal: `p${signs}`,
    client: `c${signs}`,
    task: `t${signs}`,
    job: `j${signs}`,
    reason: signs,
  });
  log.write(event);
  assertEquals(events(), [event]);
  assert(/^[\x20-\x7e]*$/.test(lines[0] ?? ""), lines[0]);
  log.write({ ...event, reason: "é 💥 東" });
  assert(lines[1]?.includes('"é 💥 東"'), "Letters stay as they are.");
});

Deno.test("repeated refusals of a kind are written once, and later with their number", async () => {
  const { log, events } = stage();
  await using _ = log;
  for (let i = 0; i < 1_000; i++) log.write(refused({ at: `${i}`, session: `${i}` }));
  for (const more of [{ principal: "bob" }, { address: "::1" }, { operation: "list" as const }, { reason: "Never." }]) {
    log.write(refused(more));
  }
  log.write({ at: AT, event: "created", operation: "create" });
  log.write({ at: AT, event: "created", operation: "create" });
  assertEquals(events().length, 7);
  log.writeRepeated();
  assertEquals(events().slice(7), [{ ...refused({ at: "999", session: "999" }), count: 999 }]);
  log.write(refused());
  log.writeRepeated();
  assertEquals(events().slice(8), [{ ...refused(), count: 1 }]);
  log.writeRepeated();
  log.write(refused());
  assertEquals(events().slice(9), [refused()]);
});

Deno.test("repetitions are written every 10 s while there are any", async () => {
  using time = new FakeTime();
  const { log, events } = stage();
  await using _ = log;
  for (const more of [{}, {}, { reason: "Never." }]) log.write(refused(more));
  time.tick(10_000);
  assertEquals(events().slice(2), [{ ...refused(), count: 1 }]);
  log.write(refused());
  time.tick(10_000);
  assertEquals(events().slice(3), [{ ...refused(), count: 1 }]);
  time.tick(20_000); // Now none is left, and the next kind begins anew.
  for (const _ of [1, 2]) log.write(refused());
  time.tick(10_000);
  assertEquals(events().slice(4), [refused(), { ...refused(), count: 1 }]);
});

Deno.test("refusals of others, from elsewhere, of another kind or for another reason are no repetitions", async () => {
  const { log, events } = stage();
  await using _ = log;
  const kinds: readonly Partial<AuditEvent>[] = [
    {},
    { principal: "bob" },
    { client: "robot" },
    { address: "203.0.113.7" },
    { job: "report" },
    { operation: "cancel" },
    { reason: "Never." },
  ];
  for (const kind of kinds) log.write(refused(kind));
  assertEquals(events(), kinds.map(refused));
});

Deno.test("repetitions are written on disposal, and nothing after that", async () => {
  const { log, events } = stage();
  for (const _ of [1, 2]) log.write(refused());
  await log[Symbol.asyncDispose]();
  log.write(refused({ principal: "late" }));
  assertEquals(events(), [refused(), { ...refused(), count: 1 }]);
});

Deno.test("of more than a thousand kinds the oldest is forgotten, and written first if it has repeated", () => {
  const repeated = new RepeatedRefusals();
  const add = (number: number) =>
    repeated.add(refused({ principal: `${number}` })).map((event) => ({ ...event, at: "" }));
  const eventOf = (number: number, count?: number) =>
    refused({ at: "", principal: `${number}`, ...(count && { count }) });
  for (let number = 0; number < 1_000; number++) add(number);
  assertEquals([add(0), add(0), add(999)], [[], [], []]);
  assertEquals([add(1_000), add(1_001)], [[eventOf(0, 2), eventOf(1_000)], [eventOf(1_001)]]);
  assertEquals([repeated.size, add(0), add(1_000)], [1_000, [eventOf(0)], []]);
  assertEquals(repeated.take().map(({ principal, count }) => [principal, count]), [["999", 1], ["1000", 1]]);
  assertEquals([repeated.size, repeated.take(), repeated.size], [2, [], 0]);
});

/** A line of the log. */
interface Line {
  readonly event: string;
  readonly count?: number;
}

const SERVER = new URL("./audited_server.ts", import.meta.url);

/** The server of `audited_server.ts`. */
class Audited implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<string>;
  readonly #stderr: ReadableStreamDefaultReader<string>;
  #url = "";

  constructor() {
    const args = [
      "run",
      "--quiet",
      "--allow-net",
      "--allow-env",
      "--allow-read",
      "--unstable-kv",
      fileURLToPath(SERVER),
    ];
    this.#child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
    this.#stdout = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#stderr = this.#child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(): Promise<Audited> {
    const server = new Audited();
    while (!server.#url.endsWith("\n")) server.#url += (await server.#stdout.read()).value ?? "\n";
    return server;
  }

  /** Sends requests that are refused, each for its own reason unless one is given. Resolves once all are answered. */
  async beRefused(count: number, reason?: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      const headers = { origin: `http://${reason ?? `${"x".repeat(50)}.${i}`}.example.com` };
      const response = await fetch(this.#url.trim(), { method: "POST", headers, body: "{}" });
      await response.body?.cancel();
      assertEquals(response.status, 403);
    }
  }

  /** Stops the server as a supervisor does, and returns its exit status. */
  async end(): Promise<Deno.CommandStatus> {
    this.#child.kill("SIGTERM");
    return await this.#child.status;
  }

  /** Reads stderr until this number of refusals was written, one by one or counted; without a number, to the end. */
  async read(most = Infinity): Promise<readonly Line[]> {
    const lines: Line[] = [];
    let text = "";
    while (lines.reduce((sum, { count = 1 }) => sum + count, 0) < most) {
      const { value } = await this.#stderr.read();
      if (value === undefined) break;
      text += value;
      const end = text.lastIndexOf("\n");
      for (const line of text.slice(0, Math.max(0, end)).split("\n")) if (line !== "") lines.push(JSON.parse(line));
      text = text.slice(end + 1);
    }
    return lines;
  }

  /** Closes the reading end of stderr. */
  async closeStderr(): Promise<void> {
    await this.#stderr.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdout.cancel();
    await this.#stderr.cancel();
    await this.#child.status;
  }
}

Deno.test("a server whose audit log nobody reads answers 1,000 refused requests, and stops when told to", async () => {
  await using server = await Audited.start();
  await server.beRefused(1_000);
  assertEquals((await server.end()).code, 0);
});

Deno.test("waiting lines are written once somebody reads, with the number of those that were left out", async () => {
  await using server = await Audited.start();
  await server.beRefused(2_000);
  const lines = await server.read(2_000);
  const leftOut = lines.filter(({ event }) => event === "left_out");
  assertEquals([leftOut.length, leftOut[0] === lines.at(-1)], [1, true]);
  assert(lines.length > 1_000, `${lines.length} are written.`);
  await server.beRefused(3, "again");
  assertEquals((await server.end()).code, 0);
  const last = await server.read();
  // One by one or counted: the repetitions of every 10 s are written together.
  assertEquals(new Set(last.map(({ event }) => event)), new Set(["refused"]));
  assertEquals([last[0]?.count, last.reduce((sum, { count = 1 }) => sum + count, 0)], [undefined, 3]);
});

Deno.test("an audit log whose reader is gone makes no request fail", async () => {
  await using server = await Audited.start();
  await server.closeStderr();
  await server.beRefused(10);
  assertEquals((await server.end()).code, 0);
});

Deno.test('over stdio, where stderr often is a log of the host, only `audit: "stderr"` writes an audit log', async () => {
  for (const [audit, written] of [["", []], ["stderr", ["created"]]] as const) {
    await using pipe = await Pipe.open(startProcess(SERVER, ["stdio", audit]));
    await pipe.call("echo_start");
    const { stderr } = await pipe.end();
    assertEquals(stderr.split("\n").filter(Boolean).map((line) => JSON.parse(line).event), [...written]);
  }
});

Deno.test("events have a receiver if there is a function, or once there is a log; what a function throws names their task", () => {
  const { log } = stage();
  const ofServer = { name: "audited", version: "1.0.0", backend: new MemoryBackend() };
  const logs = [undefined, log];
  assertEquals(logs.map((log) => auditOf({ ...ofServer, audit: "stderr" }, () => log).isAudited()), [false, true]);
  const { all, onError } = new Reported();
  const audit = () => {
    throw new Error("the log is full");
  };
  const audited = auditOf({ ...ofServer, audit, onError }, () => undefined);
  assertEquals(audited.isAudited(), true);
  audited.audit({ at: AT, event: "created", principal: "ann", operation: "create", job: "echo", task: "id-1" });
  const places = all.map(({ error: _, ...place }) => place);
  assertEquals(places, [{ where: "write the audit log", job: "echo", task: "id-1" }]);
});

Deno.test("a request succeeds although the audit function fails, and its error goes to onError", async () => {
  const failing = [
    () => {
      throw new Error("the log is full");
    },
    () => Promise.reject(new Error("the log is away")),
  ];
  for (const audit of failing) {
    const { all, onError } = new Reported();
    const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
    await using server = new AsyncToolServer({ name: "audited", version: "1.0.0", backend, strategy, audit, onError });
    server.asyncTool({ name: "echo", input: { type: "object" } }, () => 1);
    const [headers, method] = [
      { "content-type": "application/json", accept: "application/json, text/event-stream" },
      "POST",
    ];
    const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: initialize });
    const response = await server.fetch(new Request("http://localhost/mcp", { method, headers, body }));
    assertEquals(response.status, 200);
    await response.body?.cancel();
    assertEquals(all.map(({ where }) => where), ["write the audit log"]);
  }
});
