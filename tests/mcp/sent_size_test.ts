/**
 * No message to a client has more than 900,000 bytes, and no answer with a result more than 100,000, whatever revision,
 * transport and strategy; larger results can be read whole.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../tools/std.ts";
import { type Kind, KINDS, textOf } from "./support/large_server.ts";
import { type Client, connect, type Revision, REVISIONS } from "./support/measured.ts";
import type { Fields, Message } from "./support/wire_message.ts";

const SERVER = new URL("./support/large_server.ts", import.meta.url);

/** The most that can be stored, with room for what is around the text. */
const MOST = 16 * 1024 * 1024 - 100;

/** The largest message, in bytes on the wire: what one value may take, and the envelope. */
const MAX_SENT_BYTES = 900_000;

/** More than any message can contain. */
const LOST = 1_000_000;

/** Results with many pages. Each read makes the server cut all pages again, so only one is as large as possible. */
const MANY_PAGES: { readonly [where: string]: readonly [kind: Kind, bytes: number] } = {
  "http 2025-11-25": ["ASCII", 4_000_000],
  "stdio 2026-07-28": ["Chinese", MOST],
  "http polling": ["escapes", 4_000_000],
};

/** Sizes that clients once lost, for every kind of text over HTTP, and one over stdio; and one with many pages. */
function sizes(where: string): readonly (readonly [kind: Kind, bytes: number])[] {
  const kinds = where.startsWith("http") ? Object.keys(KINDS) as Kind[] : ["escapes" as const];
  const manyPages = MANY_PAGES[where];
  return [
    ...kinds.map((kind) => [kind, 600_000] as const),
    ["ASCII", LOST],
    ...manyPages ? [manyPages] : [],
  ];
}

function checkSizes({ sizes }: Client, what: string): void {
  assert(sizes.length > 0 && Math.max(...sizes) <= MAX_SENT_BYTES, `${what}: ${Math.max(...sizes)} bytes`);
}

/** A whole answer has at most 100,000 bytes. */
function checkInline(answer: unknown): void {
  assert(new TextEncoder().encode(JSON.stringify(answer)).length <= 100_000);
}

/** The result of a plain call: of 2026-07-28 the client must not declare tasks. */
async function call(client: Client, name: string, args: Fields): Promise<Message> {
  return await client.ask("tools/call", { name, arguments: args }, {});
}

/** Starts a task, waits until it has ended, and returns its id and the notification of its end. */
async function run(client: Client, revision: Revision, name: string, args: Fields) {
  const task = revision === "2025-11-25" ? { task: {} } : {};
  const { result } = await client.ask("tools/call", { name, arguments: args, ...task });
  const taskId: string = result?.taskId ?? result?.task.taskId;
  return { taskId, end: await client.follow(taskId) };
}

/** So many pages are read one after the other, and then the last: each read makes the server cut all of them again. */
const FIRST_PAGES = 14;

/** Reads a resource page by page, and compares it with the text that it has to have. */
async function checkResource(client: Client, uri: string, expected: string): Promise<void> {
  const read = async (page: string) => await client.ask("resources/read", { uri: `${uri}${page}` });
  const { result, error } = await read("");
  if (result === undefined) throw new Error(error?.message);
  const [first] = result.contents;
  const { page = 1, pages = 1 } = first._meta ?? {};
  assertEquals(page, 1);
  assert(expected.startsWith(first.text));
  let at = first.text.length;
  for (let next = 2; next <= pages; next = next < FIRST_PAGES || next === pages ? next + 1 : pages) {
    const { contents: [content] } = (await read(`?page=${next}`)).result ?? {};
    assertEquals([content._meta.page, content._meta.pages], [next, pages]);
    assert(content.text.isWellFormed());
    if (next > FIRST_PAGES) at = expected.length - content.text.length;
    assert(expected.startsWith(content.text, at));
    at += content.text.length;
  }
  assertEquals(at, expected.length);
  const { error: behind } = await read(`?page=${pages + 1}`);
  assertMatch(behind?.message ?? "", new RegExp(`has ${pages} pages?`));
}

/** Plain calls, tasks, notifications and resources of one size. */
async function exercise(client: Client, revision: Revision, kind: Kind, bytes: number): Promise<void> {
  const args = { kind, bytes };
  const text = textOf(kind, bytes);
  for (const name of bytes <= LOST ? ["typed", "untyped", "string"] : ["typed"]) {
    const whole = JSON.stringify(name === "string" ? text : { text });
    const { result: plain } = await call(client, name, args);
    checkSizes(client, `a plain call of ${name}`);
    const uri: string = plain?._meta.resourceUri;
    const [block, link] = plain?.content ?? [];
    checkInline(plain);
    assertEquals(link?.uri, uri);
    assertStringIncludes(block.text, `Read the resource ${uri}`);
    assert(block.text.startsWith((name === "string" ? text : whole).slice(0, 100)));
    // Clients refuse a result without data if an output schema promises it.
    assertEquals([plain?.isError, plain?.structuredContent?.resource], [undefined, name === "typed" ? uri : undefined]);
    await checkResource(client, uri, whole);
    checkSizes(client, `the resource of ${name}`);

    const { taskId } = await run(client, revision, name, args);
    const { result: task } = await client.ask("tasks/get", { taskId });
    const { result } = revision === "2025-11-25" ? await client.ask("tasks/result", { taskId }) : task ?? {};
    assertEquals(Object.keys(result.structuredContent ?? {}), Object.keys(plain?.structuredContent ?? {}));
    checkInline(result);
    checkSizes(client, `a task of ${name}`);
  }
  for (const name of bytes <= LOST ? ["throws", "faults"] : []) {
    const { result: plain, error } = await call(client, name, args);
    const message: string = error?.message ?? plain?.content[0].text;
    assertStringIncludes(message, text.slice(0, 1_000));
    const { taskId } = await run(client, revision, name, args);
    await client.ask("tasks/get", { taskId });
    if (revision === "2025-11-25") await client.ask("tasks/result", { taskId });
    await client.ask("resources/read", { uri: `mcp://results/${name}/${taskId}` });
    checkSizes(client, `a task of ${name}`);
  }
}

/** Polling tools and resources of one size. */
async function exercisePolling(client: Client, kind: Kind, bytes: number): Promise<void> {
  const text = textOf(kind, bytes);
  const tool = async (name: string, args: Fields) => (await call(client, name, args)).result ?? {};
  for (const name of bytes <= LOST ? ["typed", "untyped", "string", "throws", "faults"] : ["untyped"]) {
    const { structuredContent: { token } } = await tool(`${name}_start`, { kind, bytes });
    let status = "";
    while (!["COMPLETED", "FAILED"].includes(status)) {
      status = (await tool(`${name}_status`, { token })).structuredContent.status;
    }
    const { structuredContent: answer, isError } = await tool(`${name}_result`, { token });
    checkSizes(client, name);
    assertEquals([answer.status, isError], status === "FAILED" ? ["FAILED", true] : ["COMPLETED", undefined]);
    if (status === "FAILED") {
      checkInline(answer);
      assert(answer.error.startsWith(text.slice(0, 1_000)));
      continue;
    }
    const whole = name === "string" ? text : { text };
    const uri = `mcp://results/${name}/${token}`;
    checkInline(answer);
    assertEquals([answer.result, answer.resource], [undefined, uri]);
    assert(answer.message.startsWith((name === "string" ? text : JSON.stringify(whole)).slice(0, 100)));
    assertStringIncludes(answer.next, `or read the resource ${uri}`);
    await checkResource(client, uri, JSON.stringify(whole));
    checkSizes(client, `the resource of ${name}`);
  }
}

/** Images around the largest that one message can carry: what their pages have, by their bytes. */
const IMAGES = { 500_000: "image", 582_000: "image", 582_001: "text" } as const;

/** The pages of an image, read by the tool and as resources. */
async function exerciseImage(client: Client, bytes: number, type: string): Promise<void> {
  const tool = async (name: string, args: Fields) => (await call(client, name, args)).result ?? {};
  let { structuredContent: { token, status } } = await tool("draws_start", { bytes });
  while (status !== "COMPLETED") status = (await tool("draws_status", { token })).structuredContent.status;
  const { structuredContent: { pages } } = await tool("draws_result", { token });
  const { content } = await tool("draws_result", { token, page: 2 });
  assertEquals(content.at(-1).type, type);
  let read = "";
  for (let page = 2; page <= pages; page++) {
    const { result } = await client.ask("resources/read", { uri: `mcp://results/draws/${token}?page=${page}` });
    read += result?.contents[0].blob;
  }
  assertEquals(Uint8Array.fromBase64(read).length, bytes);
  checkSizes(client, `an image of ${bytes} bytes`);
}

/** 1.2 MB of JSON. */
const HUGE = "\u0001".repeat(200_000);

for (const transport of ["http", "stdio"] as const) {
  for (const revision of REVISIONS) {
    Deno.test(`no name that a client of ${revision} sends over ${transport} makes an answer too large`, async () => {
      await using client = await connect(transport, revision, "operation", SERVER);
      const { result } = await client.ask("tools/list");
      assert(result !== undefined);
      const asked: readonly (readonly [method: string, params: Fields])[] = [
        [HUGE, {}],
        ["tools/call", { name: HUGE, arguments: {} }],
        ["tools/call", { name: "typed", arguments: { [HUGE]: 1 } }],
        ["tools/call", { name: "strict", arguments: { [HUGE]: 1 } }],
        ["tools/call", { name: "plain", arguments: { [HUGE]: 1 } }],
        ["resources/read", { uri: HUGE }],
        ["resources/read", { uri: `mcp://results/typed/${HUGE}` }],
        ["prompts/get", { name: HUGE }],
        ["tasks/get", { taskId: HUGE }],
        ["tasks/list", { cursor: HUGE }],
        ["completion/complete", { ref: { type: "ref/prompt", name: HUGE }, argument: { name: HUGE, value: "" } }],
        ["logging/setLevel", { level: HUGE }],
        ["subscriptions/listen", { notifications: { resourceSubscriptions: [HUGE] } }],
      ];
      for (const [method, params] of asked) {
        const { error, result } = await client.ask(method, params);
        assert(error !== undefined || result?.isError === true, method.slice(0, 50));
        checkSizes(client, method.slice(0, 50));
      }
    });
  }

  for (const revision of REVISIONS) {
    Deno.test(`no message to a client of ${revision} over ${transport} is too large, and each result can be read whole`, async (t) => {
      await using client = await connect(transport, revision, "operation", SERVER);
      for (const [kind, bytes] of sizes(`${transport} ${revision}`)) {
        await t.step(`${bytes} bytes of ${kind}`, () => exercise(client, revision, kind, bytes));
      }
      if (revision === "2026-07-28") {
        for (const [kind, bytes] of [["escapes", 5_700], ["Chinese", 17_000]] as const) {
          const { result } = await client.ask("tools/call", { name: "asks", arguments: { kind, bytes } });
          await client.follow(result?.taskId, ["input_required"]);
          const { result: task } = await client.ask("tasks/get", { taskId: result?.taskId });
          assertEquals(Object.values<Fields>(task?.inputRequests)[0]?.params.message, textOf(kind, bytes));
          checkSizes(client, "the longest questions");
        }
      }
      if (transport === "http" || revision !== "2025-11-25") return;
      for (let i = 0; i < 100; i++) await call(client, "throws", { kind: "escapes", bytes: 60_000 });
      const { result } = await client.ask("tasks/list");
      assertEquals(result?.tasks.length, 100);
      checkSizes(client, "the list of tasks");
    });
  }

  Deno.test(`no answer of a polling tool over ${transport} is too large, and each result can be read whole`, async (t) => {
    await using client = await connect(transport, "2025-11-25", "polling", SERVER);
    for (const [kind, bytes] of sizes(`${transport} polling`)) {
      await t.step(`${bytes} bytes of ${kind}`, () => exercisePolling(client, kind, bytes));
    }
    for (const [bytes, type] of Object.entries(IMAGES)) {
      await t.step(`an image of ${bytes} bytes`, () => exerciseImage(client, Number(bytes), type));
    }
  });
}
