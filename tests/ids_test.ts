import { assert, assertEquals } from "../tools/std.ts";
import { isTaskId, newTaskId } from "../src/ids.ts";

/** Later than all ids so far. */
function later(): number {
  return timeOf(newTaskId()) + 1;
}

function timeOf(id: string): number {
  return parseInt(id.slice(0, 13).replace("-", ""), 16);
}

Deno.test("a task id is a UUID of version 7 that starts with its time", () => {
  const now = later();
  const id = newTaskId(now);
  assert(isTaskId(id), id);
  assertEquals([id[14], timeOf(id)], ["7", now]);
  assert("89ab".includes(id.charAt(19)), id);
});

Deno.test("ids of the same moment are in order, however many there are", () => {
  const now = later();
  const ids = Array.from({ length: 10_000 }, () => newTaskId(now));
  assertEquals(ids, ids.toSorted());
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("ids stay in order when the clock is set back", () => {
  const now = later();
  const ids = [newTaskId(now), newTaskId(now - 5_000), newTaskId(now - 1), newTaskId(now + 60)];
  assertEquals(ids, ids.toSorted());
});

Deno.test("other texts are not task ids", () => {
  const id = newTaskId();
  for (const text of ["", "x", `${id}0`, ` ${id}`, id.toUpperCase(), id.replaceAll("-", ""), `${id}\n`]) {
    assertEquals(isTaskId(text), false, JSON.stringify(text));
  }
});
