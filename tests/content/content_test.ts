import { z } from "zod";
import { audio, content, defineJob, file, image, implement, type Job, link, text } from "../../mod.ts";
import { isContent } from "../../src/content/content.ts";
import { InvalidValue } from "../../src/errors.ts";
import { toJson } from "../../src/json.ts";
import { assertEquals, assertThrows } from "../../tools/std.ts";

const BYTES = new Uint8Array([0, 255, 128]);
const DATA = "AP+A";

Deno.test("parts are kept as JSON in the order in which they were given, bytes as base64", () => {
  const { parts, structuredContent } = content([
    text("Three bytes"),
    image(BYTES, "image/png"),
    audio(BYTES.buffer, "audio/wav"),
    file(BYTES.subarray(1), { name: "a.csv", mimeType: "text/csv; charset=utf-8" }),
    link("https://example.com/reports/7.pdf?x=1", { description: "The report", mimeType: "application/pdf" }),
    link("mcp://results", { name: "results", title: "All" }),
  ], { structuredContent: { count: 3 } });
  assertEquals(parts, [
    { type: "text", text: "Three bytes" },
    { type: "image", data: DATA, mimeType: "image/png" },
    { type: "audio", data: DATA, mimeType: "audio/wav" },
    { type: "file", name: "a.csv", mimeType: "text/csv; charset=utf-8", data: "/4A=" },
    {
      type: "resource_link",
      uri: "https://example.com/reports/7.pdf?x=1",
      name: "7.pdf",
      description: "The report",
      mimeType: "application/pdf",
    },
    { type: "resource_link", uri: "mcp://results", name: "results", title: "All" },
  ]);
  assertEquals(structuredContent, { count: 3 });
  assertEquals(toJson(parts, "it"), JSON.parse(JSON.stringify(parts)));
});

Deno.test("content stays as it was made, media types may have capitals, and a long name at the end of a link is cut", () => {
  const parts = [image(BYTES, "IMAGE/PNG"), link(`https://example.com/${"a".repeat(300)}`)];
  const made = content(parts);
  parts.pop();
  assertEquals(made.parts.map((part) => "mimeType" in part ? part.mimeType : "name" in part && part.name), [
    "IMAGE/PNG",
    "a".repeat(200),
  ]);
});

const BAD: Readonly<Record<string, readonly [make: () => unknown, message: string]>> = {
  "no bytes": [
    () => image("iVBORw0KGgo=" as never, "image/png"),
    'image(…) takes its bytes as a Uint8Array or an ArrayBuffer, not "iVBORw0KGgo="',
  ],
  "a list of numbers": [() => audio([1, 2] as never, "audio/wav"), "audio(…) takes its bytes as a Uint8Array"],
  "an empty image": [() => image(new Uint8Array(), "image/png"), "image(…) has no bytes"],
  "an image without a media type": [() => image(BYTES, undefined as never), 'such as "image/png", not undefined'],
  "a media type without a slash": [() => image(BYTES, "png"), 'takes a media type such as "image/png", not "png"'],
  "a media type with a line break": [() => file(BYTES, { name: "a", mimeType: "text/csv\n" }), "takes a media type"],
  "an image of text": [() => image(BYTES, "text/plain"), "image(…) takes a media type image/…, not"],
  "a sound of an image": [() => audio(BYTES, "image/png"), "audio(…) takes a media type audio/…, not"],
  "a file without options": [() => Reflect.apply(file, undefined, [BYTES]), "The options of file(…) must be an object"],
  "a file without a name": [
    () => file(BYTES, { name: "", mimeType: "a/b" }),
    "The name of file(…) must be a text that",
  ],
  "a text that is none": [() => text(7 as never), "text(…) must be a text, not 7"],
  "a file with a name of 201 characters": [
    () => file(BYTES, { name: "n".repeat(201), mimeType: "a/b" }),
    "The name of file(…) must have at most 200 characters, not 201",
  ],
  "a media type of 201 characters": [
    () => image(BYTES, `image/png;x=${"y".repeat(189)}`),
    "The media type of image(…) must have at most 200 characters, not 201",
  ],
  "a link of 2,001 characters": [
    () => link(`https://example.com/${"a".repeat(1_981)}`),
    "The URI of link(…) must have at most 2,000 characters, not 2,001",
  ],
  "a description of 1,001 characters": [
    () => link("https://example.com/", { description: "d".repeat(1_001) }),
    "The description of link(…) must have at most 1,000 characters, not 1,001",
  ],
  "options that are a promise, because an await is missing": [
    () => link("https://example.com/", Promise.resolve({ name: "a" }) as never),
    "The options of link(…) must be an object, not a Promise",
  ],
  "null as a link": [() => link(null as never), "link(…) takes a URI with its scheme, not null"],
  "a link without a scheme": [() => link("reports/7"), 'link(…) takes a URI with its scheme, not "reports/7"'],
  "no parts": [() => content([]), "content(…) takes a list of at least one part"],
  "an unknown option": [
    () => content([text("a")], { structured: {} } as never),
    'content(…) has no option "structured": it takes structuredContent',
  ],
  "an unknown option of a file": [
    () => file(new Uint8Array([1]), { name: "a", mimeType: "a/b", title: "A" } as never),
    'file(…) has no option "title": it takes name, mimeType',
  ],
  "a part alone": [() => content(text("a") as never), "content(…) takes a list of at least one part"],
  "a part of another kind": [() => content([text("a"), "b" as never]), "Part 2 of content(…) was not made by text"],
  "a part by hand": [
    () => content([{ type: "image", data: "?", mimeType: "" }]),
    "Part 1 of content(…) was not made by",
  ],
  "data that are no object": [
    () => content([text("a")], { structuredContent: [1] }),
    "The structuredContent of content(…) must be an object",
  ],
};

for (const [what, [make, message]] of Object.entries(BAD)) {
  Deno.test(`content refuses ${what}, and says why`, () => {
    assertThrows(make, InvalidValue, message);
  });
}

Deno.test("content is recognised by a symbol, which no JSON has, even if another copy of this package has made it", async () => {
  const made = content([text("a")]);
  assertEquals([isContent(made), isContent(JSON.parse('{"parts":[],"structuredContent":{}}')), isContent(null)], [
    true,
    false,
    false,
  ]);
  const other: typeof import("../../src/content/content.ts") = await import(
    `../../src/content/content.ts?${crypto.randomUUID()}`
  );
  assertEquals([isContent(other.content([other.text("b")])), other.isContent(made)], [true, true]);
});

Deno.test("content inside another value is refused: a job has to return it itself", () => {
  assertThrows(() => toJson({ chart: content([text("a")]) }, "it"), InvalidValue, "a job has to return that itself");
});

Deno.test("the type of a job with an output schema demands structuredContent that fits it", () => {
  const output = z.object({ points: z.number() });
  const base = { name: "draw", input: z.object({}), output };
  const fits: Job[] = [
    defineJob({ ...base, run: () => content([text("a")], { structuredContent: { points: 3 } }) }),
    defineJob({
      ...base,
      run: () => Math.random() < 2 ? { points: 1 } : content([text("a")], { structuredContent: { points: 3 } }),
    }),
    defineJob({ name: "draw", input: z.object({}), run: () => content([text("a")]) }),
    implement(defineJob(base), () => content([text("a")], { structuredContent: { points: 3 } })),
  ];
  assertEquals(fits.length, 4);
  // @ts-expect-error: there are no data
  defineJob({ ...base, run: () => content([text("a")]) });
  // @ts-expect-error: the data do not fit
  defineJob({ ...base, run: () => content([text("a")], { structuredContent: { points: "three" } }) });
  // @ts-expect-error: the data do not fit
  implement(defineJob(base), () => content([text("a")], { structuredContent: { dots: 3 } }));
});
