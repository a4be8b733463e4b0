import type { DocumentStore } from "../../src/backend.ts";
import { BackendError } from "../../src/errors.ts";
import { Pauses } from "../../src/operator/pauses.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

/** Documents of several processes, each of which hears of changes when the test says so. */
class Shared {
  readonly texts = new Map<string, string>();
  reads = 0;
  fails = false;
  /** Called while a list is read, before it is returned. */
  during: (() => void) | undefined;
  notify: (name: string | undefined) => void = () => {};

  readonly documents: DocumentStore = {
    read: (name) => Promise.resolve(this.texts.get(name)),
    list: async (prefix) => {
      this.reads++;
      if (this.fails) throw new BackendError("The store is away.");
      const found = [...this.texts].filter(([name]) => name.startsWith(prefix)).map(([name, text]) => ({ name, text }));
      await Promise.resolve();
      this.during?.();
      return found;
    },
    write: (name, from, to) => {
      if (this.texts.get(name) !== from) return Promise.resolve(false);
      if (to === undefined) this.texts.delete(name);
      else this.texts.set(name, to);
      return Promise.resolve(true);
    },
    watch: (listener) => {
      this.notify = listener;
      return () => this.notify = () => {};
    },
  };
}

const JOBS = ["a", "b"];

Deno.test("pauses are read once, and again only after a change was announced", async () => {
  const shared = new Shared();
  let changes = 0;
  using pauses = new Pauses(shared.documents, () => changes++);
  for (let i = 0; i < 3; i++) assertEquals(await pauses.unpaused(JOBS), JOBS);
  shared.notify("schedule:a");
  assertEquals([await pauses.unpaused(JOBS), shared.reads, changes], [JOBS, 1, 0]);
  shared.texts.set("paused:a", "{}");
  shared.notify("paused:a");
  assertEquals([await pauses.unpaused(JOBS), shared.reads, changes], [["b"], 2, 1]);
  shared.notify(undefined);
  assertEquals([await pauses.unpaused(JOBS), shared.reads, changes], [["b"], 3, 2]);
});

Deno.test("a pause that is announced while pauses are being read counts for the calls that wait for them", async () => {
  const shared = new Shared();
  using pauses = new Pauses(shared.documents);
  shared.during = () => {
    shared.during = undefined;
    shared.texts.set("paused:a", "{}");
    shared.notify("paused:a");
  };
  assertEquals(await pauses.unpaused(JOBS), ["b"]);
});

Deno.test("while pauses cannot be read nothing begins, and the next call reads them again", async () => {
  const shared = new Shared();
  using pauses = new Pauses(shared.documents);
  shared.fails = true;
  await assertRejects(() => pauses.unpaused(JOBS), BackendError);
  shared.fails = false;
  assertEquals(await pauses.unpaused(JOBS), JOBS);
});

Deno.test("pauses are read anew where a change may have been missed, and not followed once disposed of", async () => {
  const shared = new Shared();
  let changes = 0;
  const pauses = new Pauses(shared.documents, () => changes++);
  assertEquals(await pauses.unpaused(JOBS), JOBS);
  shared.texts.set("paused:a", "{}");
  assertEquals([await pauses.unpaused(JOBS), await pauses.unpaused(JOBS, true)], [JOBS, ["b"]]);
  pauses[Symbol.dispose]();
  shared.notify("paused:a");
  assertEquals(changes, 0);
});

Deno.test("a pause and its end take effect at once in the process that makes them", async () => {
  const shared = new Shared();
  using pauses = new Pauses(shared.documents);
  assertEquals(await pauses.unpaused(JOBS), JOBS);
  await pauses.pause("a");
  assertEquals(await pauses.unpaused(JOBS), ["b"]);
  await pauses.resume("a");
  assertEquals([await pauses.unpaused(JOBS), shared.texts.size], [JOBS, 0]);
});
