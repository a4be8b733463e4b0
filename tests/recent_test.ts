import { remember } from "../src/recent.ts";
import { assertEquals } from "../tools/std.ts";

Deno.test("a map of the two newest entries deletes the oldest one, and returns it", () => {
  const map = new Map<string, number>();
  const forgotten = [["a", 1], ["b", 2], ["a", 3], ["c", 4]].map(([key, value]) =>
    remember(map, String(key), Number(value), 2)
  );
  assertEquals(forgotten, [undefined, undefined, undefined, ["b", 2]]);
  assertEquals([...map], [["a", 3], ["c", 4]]);
});
