import plugin from "../../tools/lint/silent_catch.ts";
import { assertEquals } from "../../tools/std.ts";

/** How many swallowed errors the rule finds in code of a file. */
function found(code: string, path = "/project/src/a.ts"): number {
  return Deno.lint.runPlugin(plugin, path, code).length;
}

const SILENT = [
  "try { a(); } catch {}",
  "try { a(); } catch { b(); }",
  "try { a(); } catch (error) { b(); }",
  "try { a(); } catch (error) { b.error(); }",
  "await a().catch(() => {});",
  "await a().catch((_) => undefined);",
  "await a?.b().catch(function () {});",
  "await a().then(b, () => {});",
  'a.on("error", () => {});',
  'a.once("error", () => b());',
  "await Promise.allSettled(a);",
];

Deno.test("an error that is swallowed without a comment is found, however it is caught", () => {
  assertEquals(SILENT.map((code) => found(code)), SILENT.map(() => 1), SILENT.join("\n"));
});

Deno.test("a comment within, behind or right above a handler excuses it, and no other comment does", () => {
  for (const code of SILENT) {
    assertEquals(found(`${code} // Nobody waits for it.`), 0, code);
    assertEquals(found(`// Nobody waits for it.\n${code}`), 0, code);
    assertEquals(found(`/** Says what this is. */\n\n${code}`), 1, code);
    assertEquals(found(`b(); // Something else.\n${code}`), 1, code);
    assertEquals(found(`${code}\n// Something else.\nb();`), 1, code);
  }
  assertEquals(found("try { a(); } catch {\n  // The file is gone.\n}"), 0);
  assertEquals(found("const a = {\n  // The client is gone.\n  b: () => c().catch(() => {}),\n};"), 0);
});

Deno.test("an error that is rethrown, reported or inspected is not swallowed", () => {
  const silent = [
    "try { a(); } catch (error) { onError(error, { where }); }",
    "try { a(); } catch (cause) { throw new B(cause); }",
    "try { a(); } catch { throw new B(); }",
    "try { a(); } catch (error) { if (!(error instanceof B)) throw error; }",
    "try { a(); } catch ({ message }) { b(message); }",
    "await a().catch((error) => b(error));",
    "await a().catch(failed);",
    "await a().then(() => {});",
    "await a().then(() => {}, reject);",
    'a.on("close", () => {});',
    "const ends = await Promise.allSettled(a);",
  ];
  assertEquals(silent.map((code) => found(code)), silent.map(() => 0), silent.join("\n"));
});

Deno.test("tests, tools and the conformance kit may swallow errors", () => {
  const paths = ["/project/tests/a_test.ts", "/project/tools/a.ts", "/project/src/testing/cases/a.ts"];
  assertEquals(paths.map((path) => found("a().catch(() => {});", path)), [0, 0, 0]);
});
