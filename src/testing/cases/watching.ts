/**
 * Cases: the feed of events, and which workers are known.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { Json, Outcome } from "../../task.ts";
import { type Cases, eventually, OWNER, whereCut } from "../stage.ts";

export const watching: Cases = {
  "every connection receives the changes of a task in order, up to its end": async (stage) => {
    const second = await stage.connect();
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({ gated: () => gate.promise });
    const task = await stage.create({ job: "gated" });
    await stage.running(task);
    await stage.running(task, second);
    gate.resolve();
    const end = await stage.finished(task);
    deepStrictEqual(await stage.finished(task, second), end);
    await worker.close();
    for (const backend of [stage.backend, second]) {
      const events = stage.events(task, backend);
      const revisions = events.map(({ revision }) => revision);
      const rising = [...new Set(revisions)].sort((a, b) => a - b);
      deepStrictEqual(revisions, rising);
      deepStrictEqual(events.at(-1), end);
      ok(events.some(({ status }) => status === "RUNNING"), "No event says that the task runs.");
    }
  },

  "changes come in order also where a worker takes a task of another process before its event has come": async (
    stage,
  ) => {
    const second = await stage.connect();
    await stage.work({ quick: () => "done" }, { concurrency: 50 });
    const make = async () => {
      const tasks = [];
      for (let i = 0; i < 50; i++) tasks.push(await stage.create({ job: "quick" }, second));
      return tasks;
    };
    const tasks = (await Promise.all([make(), make(), make(), make()])).flat();
    for (const task of tasks) await stage.finished(task);
    const last = await stage.create({ job: "unknown" }, second);
    await stage.until(last, "stored", () => true); // All earlier events have come.
    for (const task of tasks) {
      const revisions = stage.events(task).map(({ revision }) => revision);
      deepStrictEqual(revisions, [...new Set(revisions)].sort((a, b) => a - b));
    }
  },

  "an event that says how its task has ended says what a read says": async (stage) => {
    const told = new Map<string, Outcome>();
    stage.backend.watch((event) => {
      if (event.kind === "change" && event.outcome) told.set(event.task.id, event.outcome);
    });
    await stage.work({ ends: ({ value }) => value ?? Promise.reject(new Error("no")) });
    const inputs: readonly Json[] = [{ value: ["a", { b: "ü" }] }, {}, { value: 0 }, { value: "x".repeat(100_000) }];
    for (const input of inputs) {
      const { id, owner } = await stage.finished(await stage.create({ job: "ends", input }));
      const outcome = await stage.backend.outcome(id, owner);
      deepStrictEqual(told.get(id) ?? outcome, outcome);
    }
    const { id } = await stage.create({ job: "waits" });
    const end = await stage.backend.cancel(id, OWNER, 0);
    await stage.finished(end);
    const outcome = await stage.backend.outcome(id, OWNER);
    deepStrictEqual(told.get(id) ?? outcome, outcome);
  },

  "an event has the same record as a read, and each change increases its revision": async (stage) => {
    const task = await stage.create({ job: "nobody runs this" });
    deepStrictEqual(await stage.until(task, "stored", () => true), task);
    const end = await stage.backend.cancel(task.id, task.owner, 0);
    deepStrictEqual(await stage.finished(task), end);
    ok(end.revision > task.revision, `Revision ${end.revision} follows ${task.revision}.`);
  },

  "a listener that acts on a change at once does not disturb the order for others": async (stage) => {
    const received: string[] = [];
    const acts: Promise<unknown>[] = [];
    stage.backend.watch((event) => {
      if (event.kind === "change" && event.task.status === "PENDING") {
        acts.push(stage.backend.cancel(event.task.id, event.task.owner, 0));
      }
    });
    stage.backend.watch((event) => event.kind === "change" && received.push(event.task.status));
    await stage.finished(await stage.create({ job: "nobody runs this" }));
    await Promise.all(acts);
    await eventually("every listener receives the end", () => received.length >= 2);
    deepStrictEqual(received, ["PENDING", "CANCELLED"]);
  },

  "a listener that throws or rejects keeps no other from being called": async (stage) => {
    const received: string[] = [];
    const reads: Promise<unknown>[] = [];
    const { documents } = stage.backend;
    // A gap means that the watcher is to read again.
    const read = async () => received.push(...(await documents.list("listened")).map(({ name }) => name));
    for (
      const fail of [() => failing(), () => Promise.reject(new Error("A listener rejects, as this case wants it."))]
    ) {
      stage.backend.watch(fail);
      documents.watch(fail);
    }
    stage.backend.watch((event) => event.kind === "change" && received.push(event.task.id));
    const stop = documents.watch((name) => void (name === undefined ? reads.push(read()) : received.push(name)));
    const { id } = await stage.create({ job: "waits" });
    await eventually("the change of the task is announced", () => received.includes(id));
    strictEqual(await documents.write("listened", undefined, "1"), true);
    await eventually("the change of the document is announced", () => received.includes("listened"));
    stop();
    await Promise.all(reads);
    await documents.write("listened", "1", undefined);
  },

  "a listener that has unsubscribed receives nothing more": async (stage) => {
    const received: string[] = [];
    const stop = stage.backend.watch((event) => {
      if (event.kind === "change") received.push(event.task.id);
    });
    const first = await stage.create({ job: "waits" });
    await eventually("the listener receives the task", () => received.includes(first.id));
    stop();
    const next = await stage.create({ job: "waits" });
    await stage.until(next, "stored", () => true);
    strictEqual(received.includes(next.id), false);
  },

  "watchers whose connection was cut learn what has changed meanwhile, or that they may have missed something":
    whereCut(
      async (stage) => {
        const second = await stage.connect();
        const waits = await stage.create({ job: "waits" });
        const told = new Set<string>();
        stage.backend.watch((event) => told.add(event.kind === "gap" ? "gap" : event.task.id));
        stage.backend.documents.watch((name = "document gap") => told.add(name));
        const mend = stage.cut();
        if (!mend) return;
        const changed = [await second.cancel(waits.id, OWNER, 0), await stage.create({ job: "waits" }, second)];
        await second.documents.write("changed", undefined, "1");
        told.clear(); // What was told before the connection is mended is of no use.
        mend();
        await eventually("its watchers are told of the changes, or of a gap", () => {
          return told.has("gap") || changed.every(({ id }) => told.has(id));
        });
        await eventually("its watchers of documents are told of the change, or of a gap", () => {
          return told.has("document gap") || told.has("changed");
        });
        await stage.until(await stage.create({ job: "waits" }, second), "announced after that", () => true);
        await second.documents.write("changed", "1", undefined);
      },
    ),

  "hasWorker is true from the start of a worker to its end": async (stage) => {
    const second = await stage.connect();
    for (const backend of [stage.backend, second]) strictEqual(await backend.hasWorker("wait"), false);
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({ wait: () => gate.promise });
    for (const backend of [stage.backend, second]) {
      await eventually("the worker is known", () => backend.hasWorker("wait"));
      strictEqual(await backend.hasWorker("other"), false);
    }
    await stage.running(await stage.create({ job: "wait" }));
    const closed = worker.close(60_000);
    for (const backend of [stage.backend, await stage.connect()]) strictEqual(await backend.hasWorker("wait"), true);
    gate.resolve();
    await closed;
    for (const backend of [stage.backend, second]) {
      await eventually("the worker is no longer known", async () => !await backend.hasWorker("wait"));
    }
  },
};

function failing(): never {
  throw new Error("A listener throws, as this case wants it.");
}
