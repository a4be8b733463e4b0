/**
 * Results that are too large for one answer, and content of every kind, through the tools and resources of each strategy.
 *
 * @module
 */
import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  BlockingExposureStrategy,
  content,
  defineJob,
  type ExposureStrategy,
  file,
  image,
  isFinished,
  link,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
  text,
} from "../../../mod.ts";
import { ResultPartNotFound, type Surface, type ToolResult, validate } from "../../../strategy.ts";
import { InvalidInput } from "../../../src/errors.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../tools/std.ts";
import { Bench, call, ME, toolOf } from "../support.ts";

const PNG = new Uint8Array(300).fill(9);
const ROWS = Array.from({ length: 12_000 }, (_, id) => ({ id, name: `row "${id}" 世` }));
const JSON_TEXT = JSON.stringify({ rows: ROWS });

const large = defineJob({
  name: "large",
  input: z.object({}),
  output: z.object({ rows: z.array(z.object({ id: z.number(), name: z.string() })) }),
  run: () => ({ rows: ROWS }),
});

const drawing = defineJob({
  name: "drawing",
  input: z.object({ bytes: z.number() }),
  run: ({ bytes }) =>
    content([
      text("A chart"),
      image(bytes === 0 ? PNG : new Uint8Array(bytes).fill(1), "image/png"),
      file(PNG, { name: "a.pdf", mimeType: "application/pdf" }),
    ]),
});

/** A file that just fits into one message with the longest name and media type, and a link with the longest texts. */
const packed = defineJob({
  name: "packed",
  input: z.object({}),
  run: () =>
    content([
      file(new Uint8Array(584_700), { name: "世".repeat(200), mimeType: `application/${"x".repeat(100)}` }),
      link(`https://example.com/${"a".repeat(1_980)}`, { name: "世".repeat(200), description: "世".repeat(1_000) }),
    ]),
});

const converted = defineJob({
  name: "converted",
  input: z.object({}),
  output: z.object({ bytes: z.number() }),
  run: () => {
    const bytes = new Uint8Array(1_000_000).fill(1);
    const parts = [text("Converted."), file(bytes, { name: "a.pdf", mimeType: "application/pdf" })];
    return content(parts, { structuredContent: { bytes: bytes.length } });
  },
});

const textOf = ({ content }: ToolResult) => content.map((block) => block.type === "text" ? block.text : "").join("\n");

/** The tools that read a task, by strategy: how one is started, and the input that reads it. */
interface Way {
  readonly strategy: ExposureStrategy;
  readonly start: (job: string, input: unknown) => readonly [tool: string, input: unknown];
  readonly read: (job: string, token: unknown) => readonly [tool: string, input: object];
}

const WAYS: Readonly<Record<string, Way>> = {
  adaptive: {
    strategy: new AdaptiveExposureStrategy({ answerWithin: 0 }),
    start: (job, input) => [job, input],
    read: (_, token) => ["task_status", { token }],
  },
  polling: {
    strategy: new PollingExposureStrategy(),
    start: (job, input) => [`${job}_start`, input],
    read: (job, token) => [`${job}_result`, { token }],
  },
  "single tool": {
    strategy: new SingleToolExposureStrategy(),
    start: (job, input) => [job, { action: "start", input }],
    read: (job, token) => [job, { action: "check", token }],
  },
};

/** A surface with these jobs, and how a client runs one and reads its answer, each checked against the output schema. */
async function open(bench: Bench, { start, read }: Way) {
  const surface = bench.exposeAll(large, drawing, packed, converted);
  await bench.work(large, drawing, packed, converted);
  const ask = async (tool: string, input: unknown): Promise<ToolResult> => {
    const result = await call(surface, tool, input);
    const { outputSchema = {} } = toolOf(surface, tool);
    if (!result.isError) await validate(outputSchema, result.structuredContent, "an answer");
    // A binary part stands whole on its page.
    const most = result.content.some(({ type }) => type === "image" || type === "resource") ? 780_000 : 100_000;
    assert(new TextEncoder().encode(JSON.stringify(result)).length <= most);
    return result;
  };
  const run = async (job: string, input: unknown) => {
    const { structuredContent } = await ask(...start(job, input));
    const token = String(structuredContent?.token);
    await bench.until(token, isFinished);
    const answer = (more: object = {}) => {
      const [tool, given] = read(job, token);
      return ask(tool, { ...given, ...more });
    };
    return { token, answer };
  };
  return { surface, run };
}

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`${name}: a large result is answered with its beginning, and read page by page with the same tool`, async () => {
    await using bench = new Bench(way.strategy);
    const { run } = await open(bench, way);
    const { token, answer } = await run("large", {});
    const first = await answer();
    const { message, next, ...rest } = first.structuredContent ?? {};
    const resource = `mcp://results/large/${token}`;
    const pages = Number(rest.pages);
    assertEquals(rest, { token, status: "COMPLETED", resource, pages });
    assert(JSON_TEXT.startsWith(String(message).slice(0, -1)));
    const tool = spoken(way.read("large", token));
    assertStringIncludes(
      String(next),
      `Call ${tool} with the token ${token} and page 1, or read the resource ${resource}?page=1 and so on.`,
    );
    // Several frameworks fail on a link, and the tool has the pages.
    assertEquals(first.content.map(({ type }) => type), ["text"]);

    let [asText, asData] = ["", ""];
    for (let page = 1; page <= pages; page++) {
      const { content, structuredContent } = await answer({ page });
      const { text, next: after, ...rest } = structuredContent ?? {};
      assertEquals(rest, { token, status: "COMPLETED", page, pages });
      const how = page < pages ? `Call ${tool} with this token and page ${page + 1}.` : undefined;
      if (name !== "single tool") assertEquals(after, how);
      // One block: smolagents passes on only the first one.
      assertEquals(content.length, 1);
      const [title = "", ...paragraphs] = textOf({ content }).split("\n\n");
      assertEquals(title, `Page ${page} of ${pages}.${after ? ` ${after}` : ""}`);
      asText += paragraphs.join("\n\n");
      asData += text;
    }
    assertEquals([asText === JSON_TEXT, asData === JSON_TEXT], [true, true]);
    const missing = await answer({ page: pages + 1 });
    assertEquals(missing.isError, true);
    assertStringIncludes(
      textOf(missing),
      `There is no page "${pages + 1}" of the result of task ${token}: it has ${pages}`,
    );
    await assertRejects(() => answer({ page: 0 }), InvalidInput, "page");
  });

  Deno.test(`${name}: every page fits into a message, also with the longest names`, async () => {
    await using bench = new Bench(way.strategy);
    const { run } = await open(bench, way);
    const { answer } = await run("packed", {});
    const { structuredContent } = await answer();
    const kinds: string[] = [];
    for (let page = 1; page <= Number(structuredContent?.pages); page++) {
      const { content, isError } = await answer({ page });
      assertEquals(isError, undefined);
      kinds.push(content.map(({ type }) => type).join(" "));
    }
    // Where one message cannot carry the file, the page says where its pieces are.
    assertEquals(kinds, ["text", "text", "text resource_link"]);
  });

  Deno.test(`${name}: content is in the answer as blocks, or on pages if it is too large`, async () => {
    await using bench = new Bench(way.strategy);
    const { run } = await open(bench, way);
    const small = await run("drawing", { bytes: 0 });
    const { content: blocks, structuredContent } = await small.answer();
    assertEquals(structuredContent, { token: small.token, status: "COMPLETED" });
    const data = PNG.toBase64();
    const pdf = { uri: `mcp://results/drawing/${small.token}/3`, mimeType: "application/pdf", blob: data };
    assertEquals(blocks.slice(1), [
      { type: "text", text: "A chart" },
      { type: "image", data, mimeType: "image/png" },
      { type: "resource", resource: { ...pdf, _meta: { name: "a.pdf" } } },
    ]);

    const { token, answer } = await run("drawing", { bytes: 90_000 });
    const cut = await answer();
    // What follows the image is not left out with it.
    assertEquals(cut.content.map(({ type }) => type), ["text", "text", "resource"]);
    assertEquals(cut.structuredContent?.pages, 3);
    const tool = spoken(way.read("drawing", token));
    const lacked = "This answer lacks the image (image/png, 90,000 bytes).";
    const resource = `mcp://results/drawing/${token}`;
    assertStringIncludes(
      String(cut.structuredContent?.next),
      `${lacked} Call ${tool} with the token ${token} and page 2, or read the resource ${resource}/2.`,
    );
    const page = await answer({ page: 2 });
    const [, picture] = page.content;
    assertEquals(picture, { type: "image", data: new Uint8Array(90_000).fill(1).toBase64(), mimeType: "image/png" });

    const huge = await run("drawing", { bytes: 1_000_000 });
    const note = textOf(await huge.answer({ page: 2 }));
    assertStringIncludes(note, `read the resource mcp://results/drawing/${huge.token}/2, which has 2 pages`);
    // Page 3 is the second slice, of which the tool would say the same again.
    assertStringIncludes(note, "page 4.");
  });

  Deno.test(`${name}: where only a file is too large, the answer has all the rest, and says which file it lacks and where it is`, async () => {
    await using bench = new Bench(way.strategy);
    const { run } = await open(bench, way);
    const { token, answer } = await run("converted", {});
    const { content: blocks, structuredContent } = await answer();
    const { next, result } = structuredContent ?? {};
    const uri = `mcp://results/converted/${token}/2`;
    assertEquals(result, { bytes: 1_000_000 });
    assertEquals(
      next,
      `This answer lacks the file "a.pdf" (application/pdf, 1,000,000 bytes). Read the resource ${uri}.`,
    );
    assertEquals(blocks.slice(1), [{ type: "text", text: "Converted." }]);
    // The page with the file is the last one that says anything.
    const page = await answer({ page: 2 });
    assertEquals([page.structuredContent?.next, page.structuredContent?.pages], [undefined, 3]);
  });
}

for (
  const strategy of [new AdaptiveExposureStrategy(), new OperationResourceStrategy(), new BlockingExposureStrategy()]
) {
  Deno.test(`${strategy.constructor.name}: a waiting call answers a large result with data that fit its output schema`, async () => {
    await using bench = new Bench(strategy);
    const surface = bench.exposeAll(large);
    await bench.work(large);
    const { content: blocks, structuredContent, isError } = await call(surface, "large", {});
    // Only the default has a tool for pages; the others link to the resource.
    const hasTool = surface.tools.length > 1;
    assertEquals(blocks.map(({ type }) => type), ["text", ...hasTool ? [] : ["resource_link"]]);
    // One block: smolagents passes on only the first one.
    const [beginning = "", note] = textOf({ content: blocks.slice(0, 1) }).split("\n\n");
    assertEquals([JSON_TEXT.startsWith(beginning.slice(0, -1)), note], [true, structuredContent?.next]);
    assertEquals([structuredContent?.status, isError], ["COMPLETED", undefined]);
    await validate(toolOf(surface, "large").outputSchema ?? {}, structuredContent, "a handle");
    assertStringIncludes(
      String(structuredContent?.next),
      `${hasTool ? "or read" : "Read"} the resource mcp://results/large/`,
    );
    assertEquals(String(structuredContent?.next).includes("task_status"), hasTool);
  });
}

for (const strategy of [new AdaptiveExposureStrategy(), new BlockingExposureStrategy()]) {
  Deno.test(`${strategy.constructor.name}: a waiting call whose file is too large returns the data, and says which file the answer lacks`, async () => {
    await using bench = new Bench(strategy);
    const surface = bench.exposeAll(converted);
    await bench.work(converted);
    const { content: [first, note, ...links], structuredContent, _meta } = await call(surface, "converted", {});
    assertEquals(structuredContent, { bytes: 1_000_000 });
    assertEquals(first, { type: "text", text: "Converted." });
    const uri = `${_meta?.resourceUri}/2`;
    const lacks = `This answer lacks the file "a.pdf" (application/pdf, 1,000,000 bytes). Read the resource ${uri}.`;
    assertEquals(note, { type: "text", text: lacks });
    const description = "What is missing of the result";
    const link = { type: "resource_link" as const, name: "a.pdf", description, uri, mimeType: "application/pdf" };
    assertEquals(links, surface.tools.length > 1 ? [] : [link]);
  });
}

/** Reads a resource of the results of a job. */
function readOf({ templates }: Surface, job: string) {
  const template = templates.find(({ uriTemplate }) => uriTemplate.includes(`/${job}/`));
  return (id: string, part?: string, page?: string) => template?.read({ id, part, page }, ME) ?? Promise.reject(job);
}

Deno.test("a result resource has pages with their number, and its last page names no next one", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const { surface, run } = await open(bench, WAYS.polling as Way);
  const { token } = await run("large", {});
  const read = readOf(surface, "large");
  const uri = `mcp://results/large/${token}`;
  const [first] = await read(token);
  const pages = Number(first?._meta?.pages);
  assertEquals([first?.uri, first?.mimeType, first?._meta], [`${uri}?page=1`, "text/plain", {
    page: 1,
    pages,
    nextPage: `${uri}?page=2`,
  }]);
  let whole = "";
  for (let page = 1; page <= pages; page++) {
    const [content, ...more] = await read(token, undefined, `${page}`);
    assert(content && "text" in content && more.length === 0);
    whole += content.text;
    assertEquals(content._meta?.nextPage, page === pages ? undefined : `${uri}?page=${page + 1}`);
  }
  assertEquals(whole === JSON_TEXT, true);
  for (const page of [`${pages + 1}`, "0", "", "x"]) {
    await assertRejects(() => read(token, undefined, page), ResultPartNotFound, `it has ${pages} pages`);
  }
  await assertRejects(() => read(token, "1"), ResultPartNotFound, `There is no part "1" of ${uri}: it has 0.`);
});

Deno.test("a result resource has binary content as blob with its media type, and each part has its own resource", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const { surface, run } = await open(bench, WAYS.polling as Way);
  const { token } = await run("drawing", { bytes: 0 });
  const read = readOf(surface, "drawing");
  const uri = `mcp://results/drawing/${token}`;
  const blob = PNG.toBase64();
  const parts = [
    { uri: `${uri}/1`, mimeType: "text/plain", text: "A chart" },
    { uri: `${uri}/2`, mimeType: "image/png", blob },
    { uri: `${uri}/3`, mimeType: "application/pdf", blob },
  ];
  assertEquals(await read(token), parts);
  for (const [index, part] of parts.entries()) assertEquals(await read(token, `${index + 1}`), [part]);
  // A client may ask for the first page of what has only one.
  const only = { _meta: { page: 1, pages: 1 } };
  assertEquals(await read(token, undefined, "1"), parts.map((part) => ({ ...part, ...only })));
  assertEquals(await read(token, "2", "1"), parts.slice(1, 2).map((part) => ({ ...part, ...only })));
  await assertRejects(() => read(token, undefined, "2"), ResultPartNotFound, "it has 1 page");
  for (const part of ["0", "4", "01", "", "x", "1/2"]) {
    await assertRejects(() => read(token, part), ResultPartNotFound, "it has 3");
  }

  const huge = await run("drawing", { bytes: 1_000_000 });
  const [one] = await read(huge.token, "2");
  const [two] = await read(huge.token, "2", "2");
  assertEquals([one?.mimeType, one?._meta?.pages, two?._meta?.nextPage], ["application/octet-stream", 2, undefined]);
  assert(one && two && "blob" in one && "blob" in two);
  assertEquals(one.blob + two.blob === new Uint8Array(1_000_000).fill(1).toBase64(), true);
  const all = await Promise.all(["1", "2", "3", "4"].map((page) => read(huge.token, undefined, page)));
  const of = `mcp://results/drawing/${huge.token}`;
  assertEquals(all.flat().map(({ uri, mimeType }) => [uri, mimeType]), [
    [`${of}/1`, "text/plain"],
    [`${of}?page=2`, "application/octet-stream"],
    [`${of}?page=3`, "application/octet-stream"],
    [`${of}/3`, "application/pdf"],
  ]);
});

/** How a text for a model names the tool that reads a task. */
function spoken([tool, input]: ReturnType<Way["read"]>): string {
  return "action" in input ? `${tool} with action "${input.action}"` : tool;
}
