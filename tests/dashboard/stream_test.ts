import type { TaskEvent } from "../../backend.ts";
import { BackendError } from "../../src/errors.ts";
import { PageStream } from "../../src/dashboard/stream.ts";
import type { View } from "../../src/dashboard/views/view.ts";
import type { Line, Shown } from "../../src/dashboard/wire.ts";
import { turn } from "../../src/waiting.ts";
import { assertEquals } from "../../tools/std.ts";
import { taskOf } from "./support/tasks.ts";
import { SetClock } from "../support/set_clock.ts";

/** An open view, which only events change, and of which the test says how it is read. */
class Opened {
  readonly stream: PageStream;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  reads = 0;
  /** What the next reading of the view waits for. */
  reading: Promise<void> = Promise.resolve();
  ends = 0;
  listeners = new Set<(event: TaskEvent) => void>();

  constructor() {
    const view: View = {
      pause: 0,
      period: 1e9,
      observe: ({ kind }) => kind === "gap",
      read: async (): Promise<Shown> => {
        const now = ++this.reads;
        await this.reading;
        return { view: "task", now, timeline: [], log: [] };
      },
    };
    const watch = (listener: (event: TaskEvent) => void) => {
      this.listeners.add(listener);
      return () => void this.listeners.delete(listener);
    };
    this.stream = new PageStream(view, { watch }, () => void this.ends++);
    this.#reader = this.stream.body.getReader();
  }

  emit(event: TaskEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  /** Which reading of the view the next line shows, or its error; `undefined` at the end. */
  async next(): Promise<number | string | undefined> {
    const { value } = await this.#reader.read();
    if (value === undefined) return undefined;
    const line: Line = JSON.parse(new TextDecoder().decode(value));
    return line.view === "error" ? line.message : line.now;
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

const OTHER: TaskEvent = { kind: "change", task: taskOf({ id: "other" }) };

Deno.test("an open view is sent at once, and again after an event that changes it, or when it is to be read again", async () => {
  const opened = new Opened();
  assertEquals(await opened.next(), 1);
  const second = opened.next();
  await turn();
  opened.emit(OTHER);
  await turn();
  assertEquals(opened.reads, 1);
  opened.emit({ kind: "gap" });
  assertEquals(await second, 2);
  const third = opened.next();
  await turn();
  opened.stream.refresh();
  assertEquals(await third, 3);
  await opened.leave();
});

Deno.test("what changes while an open view is being read is sent after that", async () => {
  const opened = new Opened();
  const reading = Promise.withResolvers<void>();
  opened.reading = reading.promise;
  const first = opened.next();
  await turn();
  opened.emit({ kind: "gap" });
  opened.emit({ kind: "gap" });
  reading.resolve();
  assertEquals([await first, await opened.next(), opened.reads], [1, 2, 2]);
  await opened.leave();
});

Deno.test("a view that cannot be read just now sends the error, and is read again without an event", async () => {
  const opened = new Opened();
  using clock = new SetClock(0, performance);
  opened.reading = Promise.reject(new BackendError("The store is away."));
  opened.reading.catch(() => {}); // The view gets it.
  assertEquals(await opened.next(), "The store is away.");
  opened.reading = Promise.resolve();
  clock.ahead = 60_000;
  assertEquals(await opened.next(), 2);
  await opened.leave();
});

for (const by of ["the server", "the browser"] as const) {
  Deno.test(`a view that ${by} ends while it waits is neither read nor watched any more, and ends once`, async () => {
    const opened = new Opened();
    await opened.next();
    const last = opened.next();
    await turn();
    for (let end = 0; end < 2; end++) {
      if (by === "the server") opened.stream.close();
      else await opened.leave();
    }
    assertEquals(await last, undefined);
    opened.stream.close();
    assertEquals([opened.ends, opened.listeners.size, opened.reads], [1, 0, 1]);
  });
}
