import { EventLog, type EventLogOptions } from "../../../src/backends/kv/events.ts";
import type { HubListener } from "../../../src/backends/shared/store/hub.ts";
import { eventKey } from "../../../src/backends/kv/keys.ts";
import type { OnError } from "../../../src/log/on_error.ts";
import { ignored } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { SetClock } from "../../support/set_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";

function openLog(
  kv: Deno.Kv,
  writer: string,
  path: string,
  listener: Partial<HubListener> = {},
  options: Partial<EventLogOptions> = {},
): Promise<EventLog> {
  const silent = { event: () => {}, ready: () => {} };
  const all = { ...silent, ...listener };
  return EventLog.open(kv, path, { writer, listener: all, check: () => {}, onError: ignored, ...options });
}

/** The wake files of a process: the one for all its changes, and the one for those that make a task ready. */
function wakeFiles(path: string, writer: string): string[] {
  return ["", ".ready"].map((end) => `${path}.wake/${writer}${end}`);
}

/** A time to which no process sets its wake files, but at which none counts as stale. */
const LONG_AGO = new Date(Date.now() - 3_600_000);

/** Makes the wake files of a process look as if nobody had touched them for long. */
function forgetTouches(path: string, writer: string): void {
  for (const file of wakeFiles(path, writer)) Deno.utimeSync(file, LONG_AGO, LONG_AGO);
}

/** Which of them were touched since. */
function touched(path: string, writer: string): boolean[] {
  return wakeFiles(path, writer).map((file) => Number(Deno.statSync(file).mtime) > Number(LONG_AGO));
}

Deno.test("KV: when a process closes, the others do not read its events again", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const received: unknown[] = [];
  const path = `${folder.path}/jobs.kv`;
  const event = (one: unknown) => received.push(one);
  const write = (writer: string, number: number, text: string) =>
    kv.set(eventKey(writer, number), JSON.stringify([{ id: text }]));
  const changeOf = (task: string) => ({ kind: "change", task: { id: task } });
  await using _reader = await openLog(kv, "reader", path, { event });
  const closing = await openLog(kv, "closing", path);
  await write("closing", 1, "said");
  closing.wake(false);
  await until(() => received.length === 1, "the change is heard");
  await closing[Symbol.asyncDispose]();
  // Found by a poll each, which looks at all streams, in the order of their writers.
  for (let number = 1; number <= 3; number++) {
    await write("later", number, `later ${number}`);
    await until(() => JSON.stringify(received).includes(`later ${number}`), "a poll has found it");
  }
  assertEquals(received, [changeOf("said"), ...[1, 2, 3].map((number) => changeOf(`later ${number}`))]);
});

Deno.test("KV: a process receives the events of others from its start on, and a gap if some are missing", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const received: unknown[] = [];
  let ready = 0;
  const write = (number: number) => kv.set(eventKey("other", number), JSON.stringify([{ id: `told ${number}` }]));
  await write(1);
  const listener = { event: (one: unknown) => received.push(one), ready: () => void ready++ };
  await using _reader = await openLog(kv, "reader", `${folder.path}/jobs.kv`, listener);
  await write(2);
  await until(() => received.length > 0, "the change is heard");
  await write(4);
  await until(() => JSON.stringify(received).includes("told 4"), "the next one is heard");
  const changeOf = (number: number) => ({ kind: "change", task: { id: `told ${number}` } });
  assertEquals(received, [changeOf(2), { kind: "gap" }, changeOf(4)]);
  // No wake file told of them, so there may be tasks that nobody has looked for.
  await until(() => ready === 2, "it is looked for work");
});

Deno.test("KV: the wake file of a process that died long ago is removed, and that of a young one stays", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  await Deno.mkdir(`${path}.wake`);
  for (const name of ["old", "young"]) await Deno.writeTextFile(`${path}.wake/${name}`, "");
  await Deno.utime(`${path}.wake/old`, 0, 0);
  await using _log = await openLog(kv, "new", path);
  const names = (await Array.fromAsync(Deno.readDir(`${path}.wake`))).map(({ name }) => name);
  assertEquals(names.toSorted(), ["new", "new.ready", "young"]);
});

Deno.test("KV: a log that cannot be opened leaves neither a timer nor a file open", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  kv.list = () => {
    throw new TypeError("disk I/O error");
  };
  await assertRejects(() => openLog(kv, "new", `${folder.path}/jobs.kv`), TypeError, "disk I/O error");
  assertEquals(await Array.fromAsync(Deno.readDir(`${folder.path}/jobs.kv.wake`)), []);
});

Deno.test("KV: a process that is alone touches no wake file, and wakes the next one as soon as it notices it", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  await using alone = await openLog(kv, "alone", path);
  forgetTouches(path, "alone");
  alone.wake(false);
  alone.wake(true);
  assertEquals(touched(path, "alone"), [false, false]);
  const received: unknown[] = [];
  await using _other = await openLog(kv, "other", path, { event: (one) => received.push(one) });
  await kv.set(eventKey("alone", 1), JSON.stringify([{ id: "stored before the other process was noticed" }]));
  await until(() => touched(path, "alone")[1] === true, "the other process is noticed, and woken");
  await until(() => received.length === 1, "it has read what was stored before");
  alone.wake(false);
  assertEquals(touched(path, "alone"), [true, true]);
});

for (const fails of ["at once", "later"]) {
  Deno.test(`KV: a process whose watcher fails ${fails} reports that, finds the events of others all the same, and wakes them`, async () => {
    const folder = await Deno.makeTempDir();
    using kv = await Deno.openKv(":memory:");
    const path = `${folder}/jobs.kv`;
    const { watchFs } = Deno;
    const failing = Promise.withResolvers<void>();
    Deno.watchFs = () => {
      if (fails === "at once") throw new Error("No watcher is left.");
      const next = () => failing.promise.then(() => Promise.reject(new Error("No watcher is left.")));
      return { [Symbol.asyncIterator]: () => ({ next }), close: () => {} } as unknown as Deno.FsWatcher;
    };
    const errors: string[] = [];
    const received: unknown[] = [];
    const onError: OnError = (error, { where }) => errors.push(`${where}: ${error}`);
    try {
      await using blind = await openLog(kv, "blind", path, { event: (one) => received.push(one) }, { onError });
      failing.resolve();
      await until(() => errors.length > 0, "the failure is reported");
      await kv.set(eventKey("other", 1), JSON.stringify([{ id: "told" }]));
      await until(() => received.length === 1, "the change is found");
      forgetTouches(path, "blind");
      blind.wake(false); // It cannot know whether it is alone.
      assertEquals(touched(path, "blind"), [true, false]);
      assertEquals(errors, ["watch the wake files of other processes: Error: No watcher is left."]);
    } finally {
      Deno.watchFs = watchFs;
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("KV: a process does not receive its own events, and one that is alone again touches no wake file", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  const received: [by: string, event: unknown][] = [];
  const hearing = (by: string) => ({ event: (one: unknown) => received.push([by, one]) });
  await using one = await openLog(kv, "one", path, hearing("one"));
  const other = await openLog(kv, "other", path, hearing("other"));
  await kv.set(eventKey("one", 1), JSON.stringify([{ id: "told" }]));
  one.wake(true);
  await until(() => received.length > 0, "the other process has received it");
  await kv.set(eventKey("other", 1), JSON.stringify([{ id: "told back" }]));
  await until(() => received.length > 1, "this process has received the answer");
  const changeOf = (id: string) => ({ kind: "change", task: { id } });
  assertEquals(received, [["other", changeOf("told")], ["one", changeOf("told back")]]);
  await other[Symbol.asyncDispose]();
  const names = (await Array.fromAsync(Deno.readDir(`${path}.wake`))).map(({ name }) => name);
  assertEquals(names.toSorted(), ["one", "one.ready"]);
  await until(() => {
    forgetTouches(path, "one");
    one.wake(false);
    return Promise.resolve(touched(path, "one")[0] === false);
  }, "the process notices that it is alone");
});

Deno.test("KV: two processes that have noticed each other do not wake each other without end", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  let [ready, polls] = [0, 0];
  const listener = { ready: () => void ready++ };
  await using one = await openLog(kv, "one", path, listener, { check: () => void polls++ });
  await using _other = await openLog(kv, "other", path, listener);
  one.wake(true);
  await until(() => ready > 0, "the other process is woken");
  polls = 0;
  await until(() => polls >= 4, "four polls have passed");
  assert(ready < 10, `${ready} wake-ups`);
});

Deno.test("KV: a process touches its wake files once an hour, so that none of a living process is taken for that of a dead one", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  let polls = 0;
  using clock = new SetClock();
  const touchedByPolls = async () => {
    forgetTouches(path, "alone");
    polls = 0;
    await until(() => polls >= 2, "two polls have passed");
    return touched(path, "alone");
  };
  await using _alone = await openLog(kv, "alone", path, {}, { check: () => void polls++ });
  assertEquals(await touchedByPolls(), [false, false]);
  clock.ahead = 3_700_000;
  assertEquals(await touchedByPolls(), [true, true]);
  assertEquals(await touchedByPolls(), [false, false]);
});

Deno.test("KV: a process that has closed its log touches no file any more, and reports nothing", async () => {
  await using folder = await TempFolder.make();
  using kv = await Deno.openKv(":memory:");
  const path = `${folder.path}/jobs.kv`;
  const errors: unknown[] = [];
  await using _other = await openLog(kv, "other", path);
  const log = await openLog(kv, "closing", path, {}, { onError: (error) => errors.push(error) });
  await log[Symbol.asyncDispose]();
  log.wake(true); // As a commit does that was still under way.
  assertEquals(errors, []);
});
