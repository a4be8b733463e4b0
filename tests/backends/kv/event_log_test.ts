import { EventLog } from "../../../src/backends/kv/event_log.ts";
import type { HubListener } from "../../../src/backends/shared/store/hub.ts";
import { eventKey } from "../../../src/backends/kv/keys.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";

function openLog(kv: Deno.Kv, writer: string, path: string, listener: Partial<HubListener> = {}): Promise<EventLog> {
  const silent = { event: () => {}, ready: () => {} };
  return EventLog.open(kv, path, { writer, listener: { ...silent, ...listener }, check: () => {}, onError: ignored });
}

Deno.test("KV: when a process closes, the others do not read its events again", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  const received: unknown[] = [];
  const path = `${folder}/jobs.kv`;
  const event = (one: unknown) => received.push(one);
  const write = (writer: string, number: number, text: string) =>
    kv.set(eventKey(writer, number), JSON.stringify([{ id: text }]));
  const changeOf = (task: string) => ({ kind: "change", task: { id: task } });
  try {
    await using _reader = await openLog(kv, "reader", path, { event });
    const closing = await openLog(kv, "closing", path);
    await write("closing", 1, "said");
    closing.wake(false);
    await until(() => Promise.resolve(received.length === 1), "the change is heard");
    await closing[Symbol.asyncDispose]();
    // Found by a poll each, which looks at all streams, in the order of their writers.
    for (let number = 1; number <= 3; number++) {
      await write("later", number, `later ${number}`);
      await until(() => Promise.resolve(JSON.stringify(received).includes(`later ${number}`)), "a poll has found it");
    }
    assertEquals(received, [changeOf("said"), ...[1, 2, 3].map((number) => changeOf(`later ${number}`))]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("KV: a process receives the events of others from its start on, and a gap if some are missing", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  const received: unknown[] = [];
  let ready = 0;
  const write = (number: number) => kv.set(eventKey("other", number), JSON.stringify([{ id: `told ${number}` }]));
  try {
    await write(1);
    const listener = { event: (one: unknown) => received.push(one), ready: () => void ready++ };
    await using _reader = await openLog(kv, "reader", `${folder}/jobs.kv`, listener);
    await write(2);
    await until(() => Promise.resolve(received.length > 0), "the change is heard");
    await write(4);
    await until(() => Promise.resolve(JSON.stringify(received).includes("told 4")), "the next one is heard");
    const changeOf = (number: number) => ({ kind: "change", task: { id: `told ${number}` } });
    assertEquals(received, [changeOf(2), { kind: "gap" }, changeOf(4)]);
    // No wake file told of them, so there may be tasks that nobody has looked for.
    await until(() => Promise.resolve(ready === 2), "it is looked for work");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("KV: the wake file of a process that died long ago is removed, and that of a young one stays", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder}/jobs.kv`;
  try {
    await Deno.mkdir(`${path}.wake`);
    for (const name of ["old", "young"]) await Deno.writeTextFile(`${path}.wake/${name}`, "");
    await Deno.utime(`${path}.wake/old`, 0, 0);
    await using _log = await openLog(kv, "new", path);
    const names = (await Array.fromAsync(Deno.readDir(`${path}.wake`))).map(({ name }) => name);
    assertEquals(names.toSorted(), ["new", "new.ready", "young"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("KV: a log that cannot be opened leaves neither a timer nor a file open", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  kv.list = () => {
    throw new TypeError("disk I/O error");
  };
  try {
    await assertRejects(() => openLog(kv, "new", `${folder}/jobs.kv`), TypeError, "disk I/O error");
    assertEquals(await Array.fromAsync(Deno.readDir(`${folder}/jobs.kv.wake`)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("KV: a process that is alone touches no wake file, and wakes the next one as soon as it notices it", async () => {
  const folder = await Deno.makeTempDir();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder}/jobs.kv`;
  const sizes = () => ["", ".ready"].map((end) => Deno.statSync(`${path}.wake/alone${end}`).size);
  try {
    await using alone = await openLog(kv, "alone", path);
    alone.wake(false);
    alone.wake(true);
    assertEquals(sizes(), [0, 0]);
    const received: unknown[] = [];
    await using _other = await openLog(kv, "other", path, { event: (one) => received.push(one) });
    await kv.set(eventKey("alone", 1), JSON.stringify([{ id: "stored before the other process was noticed" }]));
    await until(() => Promise.resolve(sizes()[1] === 1), "the other process is noticed, and woken");
    await until(() => Promise.resolve(received.length === 1), "it has read what was stored before");
    alone.wake(false);
    assertEquals(sizes(), [1, 1]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
