import { remember } from "../src/recent.ts";
import { assertEquals } from "../tools/std.ts";

Deno.test("a map that remembers two entries forgets the one that was set longest ago, and says which", () => {
  const map = new Map<string, number>();
  const forgotten = [["a", 1], ["b", 2], ["a", 3], ["c", 4]].map(([key, value]) =>
    remember(map, String(key), Number(value), 2)
  );
  assertEquals(forgotten, [undefined, undefined, undefined, ["b", 2]]);
  assertEquals([...map], [["a", 3], ["c", 4]]);
});
