import { DefinitionError } from "../../mod.ts";
import { checkUrl } from "../../src/questions/url.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../tools/std.ts";

Deno.test("a person may be asked to open a page over https, or over http on this machine", () => {
  const pages = [
    "https://example.com/connect?task=1#top",
    "http://localhost:8080/",
    "http://127.0.0.1/",
    "http://[::1]:80/a",
  ];
  assertEquals(pages.map((page) => checkUrl(page, "it")), [...pages.slice(0, 3), "http://[::1]/a"]);
});

Deno.test("a page that is no URL, is not encrypted, is no web page or holds a password is refused, and the password not repeated", () => {
  const refused = (page: string) => assertThrows(() => checkUrl(page, "it"), DefinitionError).message;
  assertStringIncludes(refused("connect"), "not valid");
  for (const page of ["http://example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/"]) {
    assertStringIncludes(refused(page), "Use https:");
  }
  for (const page of ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,hi"]) {
    assertStringIncludes(refused(page), "Use https:");
  }
  for (const page of ["https://bob:secret@example.com/", "https://bob@example.com/"]) {
    assertEquals([/bob|secret/.test(refused(page)), refused(page).includes("a name or a password")], [false, true]);
  }
});
