/**
 * Cases: documents are kept, changed by one at a time, and watched.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert";
import type { Backend } from "../../../backend.ts";
import { type Cases, eventually } from "../../stage.ts";

/** The largest text; one of its characters would double its size in UTF-16. */
const LARGEST = "\u20ac" + "a".repeat(59_997);

/** Changes a document once, whatever it is now. */
async function change({ documents }: Backend, name: string, to: string | undefined): Promise<void> {
  while (!await documents.write(name, await documents.read(name), to));
}

export const documents: Cases = {
  "of many simultaneous changes of a document, on two connections, one is made": async (stage) => {
    const second = await stage.connect();
    let now: string | undefined;
    for (const text of [LARGEST, "", "b", undefined]) {
      const done = await Promise.all(Array.from({ length: 10 }, (_, index) => {
        const { documents } = index % 2 ? second : stage.backend;
        return documents.write("one", now, text && text.slice(0, -1) + index);
      }));
      strictEqual(done.filter(Boolean).length, 1);
      now = text && text.slice(0, -1) + done.indexOf(true);
      strictEqual(await stage.backend.documents.read("one"), now);
      strictEqual(await second.documents.read("one"), now);
    }
    strictEqual(await stage.backend.documents.write("one", "b", "c"), false);
    strictEqual(await stage.backend.documents.read("one"), undefined);
  },

  "documents are listed by the beginning of their names, sorted": async (stage) => {
    const { documents } = stage.backend;
    const names = ["schedule:b", "schedule:a%", "schedule:\u00e4", "schedule", "scheduler", "paused:a"];
    for (const name of names) await documents.write(name, undefined, `{"of":${JSON.stringify(name)}}`);
    deepStrictEqual(
      (await documents.list("schedule:")).map(({ name, text }) => [name, JSON.parse(text)]),
      ["schedule:a%", "schedule:b", "schedule:\u00e4"].map((name) => [name, { of: name }]),
    );
    strictEqual((await documents.list("")).length, names.length);
    deepStrictEqual(await documents.list("none"), []);
  },

  "every connection is notified of changes to documents until it unsubscribes": async (stage) => {
    const second = await stage.connect();
    const watchers = [stage.backend, second].map((backend) => {
      const names: string[] = [];
      const reads: Promise<unknown>[] = [];
      // A gap means that the watcher is to read again.
      const read = async () => names.push(...(await backend.documents.list("")).map(({ name }) => name));
      const stop = backend.documents.watch((name) =>
        name === undefined ? void reads.push(read()) : void names.push(name)
      );
      return { names, reads, stop };
    });
    await change(stage.backend, "first", "1");
    for (const { names } of watchers) await eventually("the change is announced", () => names.includes("first"));
    watchers[0]?.stop();
    await Promise.all(watchers.flatMap(({ reads }) => reads));
    const before = watchers[0]?.names.length;
    await change(second, "second", "1");
    await eventually("the second change is announced", () => watchers[1]?.names.includes("second") === true);
    strictEqual(watchers[0]?.names.length, before);
    watchers[1]?.stop();
    await Promise.all(watchers.flatMap(({ reads }) => reads));
  },
};
