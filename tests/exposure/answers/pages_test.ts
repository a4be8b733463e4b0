import type { ContentPart, Json } from "../../../mod.ts";
import { type Page, pageOf, pagesOf, ResultPartNotFound } from "../../../src/exposure/answers/pages.ts";
import { assert, assertEquals, assertThrows } from "../../../tools/std.ts";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const textOf = (pages: readonly Page[]) => pages.flat().map((piece) => "text" in piece ? piece.text : "").join("");
const blobOf = (pages: readonly Page[]) => pages.flat().map((piece) => "blob" in piece ? piece.blob : "").join("");
const pages = (value: Json, content?: readonly ContentPart[], inlineBytes = 100_000) =>
  pagesOf({ value, content }, inlineBytes);

Deno.test("the pages of a value join to its JSON, and are cut at whole characters", () => {
  for (const sample of ["x", '"\\', "\u0000", "世", "👍"]) {
    const value = { text: sample.repeat(300_000 / sample.length) };
    const all = pages(value);
    assertEquals(textOf(all) === JSON.stringify(value), true);
    for (const [index, page] of all.entries()) {
      assertEquals(page.map(({ slice }) => slice), [{ number: index + 1, of: all.length }]);
      assert(textOf([page]).isWellFormed() && bytesOf(page) <= 39_000, `${bytesOf(page)} bytes`);
    }
  }
});

Deno.test("a small result is one page, also one without any text", () => {
  assertEquals(pages("short"), [[{ part: 0, mimeType: "application/json", text: '"short"' }]]);
  assertEquals(pages(null), [[{ part: 0, mimeType: "application/json", text: "null" }]]);
  assertEquals(pages(null, [{ type: "text", text: "" }]), [[{ part: 1, mimeType: "text/plain", text: "" }]]);
  const empty = { type: "file", data: "", mimeType: "a/b", name: "empty" } as const;
  assertEquals(pages(null, [empty]), [[{ part: 1, mimeType: "a/b", blob: "" }]]);
});

Deno.test("small parts share a page, and a binary part stands whole on its own page if it is larger than that", () => {
  const image = (size: number): ContentPart => ({ type: "image", data: "AAAA".repeat(size), mimeType: "image/png" });
  const text: ContentPart = { type: "text", text: "y".repeat(20_000) };
  const link: ContentPart = { type: "resource_link", uri: "https://example.com/", name: "home" };
  const all = pages({ total: 3 }, [text, image(4_000), image(100_000), link]);
  assertEquals(all.map((page) => page.map(({ part }) => part)), [[0, 1, 2], [3], [4]]);
  assertEquals(all[2], [{ part: 4, mimeType: "text/uri-list", text: "https://example.com/" }]);
  assert(all.flat().every(({ slice }) => slice === undefined));
});

Deno.test("a binary part that no message can carry is cut into whole bytes, each page valid base64", () => {
  const bytes = Uint8Array.from({ length: 2_000_000 }, (_, index) => index % 251);
  const all = pages(null, [{ type: "image", data: bytes.toBase64(), mimeType: "image/png" }]);
  assertEquals(all.length, 4);
  assertEquals(blobOf(all) === bytes.toBase64(), true);
  const lengths = all.map((page) => Uint8Array.fromBase64(blobOf([page])).length);
  assertEquals(lengths.reduce((sum, length) => sum + length), 2_000_000);
  assert(all.every((page) => bytesOf(page) <= 780_000));
});

Deno.test("a part of the content has pages of its own; the value, and what is no part, has none", () => {
  const text: ContentPart = { type: "text", text: "y" };
  const result = { value: { total: 3 }, content: [text] };
  assertEquals(pagesOf(result, 100_000, "1"), [[{ part: 1, mimeType: "text/plain", text: "y" }]]);
  for (const part of ["0", "2", "01", "-1", ""]) assertEquals(pagesOf(result, 100_000, part), [], part);
});

Deno.test("the last slice of a long text shares its page with no other part", () => {
  const text: ContentPart = { type: "text", text: "y".repeat(50_000) };
  const all = pages(null, [text, { type: "text", text: "short" }]);
  assertEquals(all.map((page) => page.map(({ part }) => part)), [[1], [1], [2]]);
});

Deno.test("a page that is not there is refused with the number of pages", () => {
  const all = pages("x".repeat(120_000));
  assertEquals(pageOf(all, "2", "it"), all[1]);
  for (const number of [0, 5, -1, 1.5, "", "01", "one", "1e0", "9".repeat(1_000)]) {
    assertThrows(() => pageOf(all, number, "it"), ResultPartNotFound, "it has 4 pages, the first is page 1");
  }
});
