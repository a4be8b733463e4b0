import type { Json } from "../../mod.ts";
import type { TaskEvent } from "../../src/backend.ts";
import { TaskNotFound } from "../../src/errors.ts";
import { pagesOf } from "../../src/exposure/answers/pages.ts";
import { taskOf } from "../dashboard/support/tasks.ts";
import type { Schema } from "../../src/schema/schema.ts";
import { Outcomes } from "../../src/tasks/outcomes.ts";
import type { Outcome } from "../../src/task.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, FakeTime } from "../../tools/std.ts";
import { z } from "zod";

const LARGE = "x".repeat(60_000);
const of = (id: string, owner = "ann") => ({ id, owner, job: "job" });

/**
 * The outcomes of a store with the tasks of one owner. `reads` are those that the store was asked for, `counted` whose they
 * were and how long.
 */
function outcomesOf(values: { readonly [id: string]: Json }, now?: () => number, schema?: Schema) {
  const reads: string[] = [];
  const counted: [owner: string, characters: number][] = [];
  const outcome = (id: string, owner: string): Promise<Outcome> => {
    reads.push(id);
    const value = values[id];
    if (owner !== "ann" || value === undefined) return Promise.reject(new TaskNotFound(id));
    return Promise.resolve({ kind: "value", value: structuredClone(value) });
  };
  const listeners = new Set<(event: TaskEvent) => void>();
  const watch = (listener: (event: TaskEvent) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const emit = (id: string, outcome?: Outcome) => {
    for (const listener of listeners) listener({ kind: "change", task: taskOf({ id, owner: "ann" }), outcome });
  };
  const onRead = (owner: string, characters: number) => void counted.push([owner, characters]);
  const outcomes = new Outcomes({ outcome, watch }, () => schema, onRead, now);
  return { reads, counted, emit, listeners, outcomes };
}

Deno.test("a large result is read from the store once, and cut into pages once, however many of its pages are read", async () => {
  const { reads, outcomes } = outcomesOf({ large: LARGE, small: "x" });
  using _ = outcomes;
  const pages: (readonly unknown[])[] = [];
  for (let i = 0; i < 3; i++) {
    const result = await outcomes.read(of("large"));
    assert(result.kind === "value");
    pages.push(pagesOf(result, 20_000));
    await outcomes.read(of("small"));
  }
  assertEquals(reads, ["large", "small", "small", "small"]);
  assert(pages[0] && pages[0].length > 1);
  assertEquals(pages.map((again) => again === pages[0]), [true, true, true]);
});

Deno.test("a kept result is given only to its owner", async () => {
  const { outcomes } = outcomesOf({ large: LARGE });
  using _ = outcomes;
  await outcomes.read(of("large"));
  await assertRejects(() => outcomes.read(of("large", "bob")), TaskNotFound);
});

Deno.test("a large result is forgotten ten seconds after its last page was read, or when the server closes", async () => {
  using time = new FakeTime();
  const { reads, outcomes } = outcomesOf({ large: LARGE });
  using _ = outcomes;
  for (const ms of [0, 9_000, 9_000, 10_000, 1]) {
    time.tick(ms);
    await outcomes.read(of("large"));
  }
  assertEquals(reads.length, 2);
  outcomes[Symbol.dispose]();
  await outcomes.read(of("large"));
  assertEquals(reads.length, 3);
});

Deno.test("of large results, those that were read last are kept, up to the size of the largest that there may be", async () => {
  const half = "x".repeat(9_000_000);
  const { reads, outcomes } = outcomesOf({ a: half, b: half, c: half });
  using _ = outcomes;
  for (const id of ["a", "b", "a", "c", "a", "b"]) await outcomes.read(of(id));
  assertEquals(reads, ["a", "b", "c", "b"]);
});

Deno.test("an outcome that came with the event of its task is not read from the store, and only its owner gets it", async () => {
  let now = 0;
  const { reads, counted, emit, listeners, outcomes } = outcomesOf({ received: "stored", other: "stored" }, () => now);
  emit("received", { kind: "value", value: "received \ud800" });
  emit("other");
  await assertRejects(() => outcomes.read(of("received", "bob")), TaskNotFound);
  assertEquals(await outcomes.read(of("received")), { kind: "value", value: "received \ufffd" });
  assertEquals(await outcomes.read(of("received")), { kind: "value", value: "stored" }); // It is kept for one read.
  await outcomes.read(of("other"));
  emit("received", { kind: "value", value: "received" });
  now += 1_000; // By then, somebody may have run the job again by hand.
  assertEquals(await outcomes.read(of("received")), { kind: "value", value: "stored" });
  assertEquals(reads, ["received", "received", "other", "received"]);
  assertEquals(counted.map(([owner]) => owner), ["ann", "ann", "ann"]); // Only what the store had to read counts.
  outcomes[Symbol.dispose]();
  assertEquals(listeners.size, 0);
});

Deno.test("of the outcomes of other workers, only values are held against the output schema, and a misfit or what is no JSON is an error of the tool", async () => {
  const total = z.string().transform((text) => {
    if (text === "no rates today") throw new TypeError(text);
    return BigInt(text);
  });
  const schema = z.object({ total: total.pipe(z.any()) });
  const values = { none: 1, large: { total: "12" }, failing: { total: "no rates today" } };
  const { outcomes, emit } = outcomesOf(values, () => 0, schema);
  for (
    const outcome of [{ kind: "tool_error", message: "no such user" }, { kind: "fault", message: "gone" }] as const
  ) {
    emit("ended", outcome);
    assertEquals(await outcomes.read(of("ended")), outcome);
  }
  for (const [id, message] of [["none", "result of job"], ["large", "a bigint"]] as const) {
    const outcome = await outcomes.read(of(id));
    assert(outcome.kind === "tool_error");
    assertStringIncludes(outcome.message, message);
  }
  await assertRejects(() => outcomes.read(of("failing")), TypeError, "no rates today");
  outcomes[Symbol.dispose]();
});
