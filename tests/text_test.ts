import { cutToFit, escaped, fits, slicesOf } from "../src/text.ts";
import { assert, assertEquals } from "../tools/std.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;

/** Texts of every kind of character, alone and mixed. */
const KINDS: Readonly<Record<string, string>> = {
  "ASCII": "x",
  "quotes and backslashes": '"\\',
  "line ends": "\n\r\t\b\f",
  "control characters": "\u0000\u001f",
  "Greek": "λ",
  "Chinese": "世",
  "emoji": "👍",
  "half characters": "\ud83d!",
  "all of these": 'x"\n\u0000λ世👍\u007f\u2028',
};

for (const [kind, sample] of Object.entries(KINDS)) {
  Deno.test(`a long text of ${kind} is split into full slices that fit, and that join to the text`, () => {
    const text = sample.repeat(Math.ceil(1_600_000 / sample.length));
    const pages = slicesOf(text, 780_000);
    assertEquals(pages.join("") === text, true);
    for (const [index, page] of pages.entries()) {
      assert(bytes(page) <= 780_002, `page ${index} has ${bytes(page)} bytes`);
      if (index < pages.length - 1) assert(bytes(page) > 779_990, `page ${index} has only ${bytes(page)} bytes`);
      assertEquals(page.isWellFormed(), sample.isWellFormed());
    }
    const cut = cutToFit(text);
    assertEquals([cut.startsWith(pages[0] ?? "?"), cut.endsWith("…"), cut.length], [
      true,
      true,
      1 + (pages[0] ?? "").length,
    ]);
  });
}

Deno.test("a text that fits is one slice, uncut", () => {
  for (const text of ["", "short", "x".repeat(780_000)]) {
    assertEquals([slicesOf(text, 780_000).length, slicesOf(text, 780_000)[0] === text, cutToFit(text) === text], [
      1,
      true,
      true,
    ]);
  }
  assert(fits("x".repeat(779_998)) && !fits("x".repeat(779_999)) && !fits("世".repeat(260_000)));
});

Deno.test("escaped JSON keeps its value, and has nothing that a terminal takes for a command", () => {
  // The flag of England has invisible characters beyond the first 65,536.
  const flag = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
  const value = { flag, turned: "\u202eexe", cleared: "\x9b2J" };
  const text = escaped(JSON.stringify(value));
  assertEquals(text.match(/[\p{Cc}\p{Cf}]/gu), null);
  assertEquals(JSON.parse(text), value);
});
