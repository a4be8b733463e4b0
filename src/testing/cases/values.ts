/**
 * Cases: values are stored and returned without change, and refused if they are too large.
 *
 * @module
 */
import { deepStrictEqual, match, rejects, strictEqual } from "node:assert";
import { content, file, image, text } from "../../content/content.ts";
import { DefinitionError, InvalidValue, TaskNotFound } from "../../errors.ts";
import { newTaskId } from "../../ids.ts";
import { type Json, openQuestions, type TaskInfo } from "../../task.ts";
import { aborted, type Cases, NO, OWNER } from "../stage.ts";

const MIB = 1024 * 1024;

/** Values that stores tend to alter. */
const VALUES: readonly Json[] = [
  null,
  true,
  0,
  1e308,
  -0.1,
  "",
  [],
  {},
  [[], {}, null, ""],
  'Grüße, 世界 👩‍👩‍👧‍👦 \u0000 \u2028 "quoted" \\ \n',
  { "": "empty key", "ключ": { "a.b": [{ "c:d": "e/f" }] } },
  // In a literal these keys would set a prototype; in parsed text they are fields.
  JSON.parse('{"__proto__":{"polluted":true},"constructor":null,"toString":1}'),
  JSON.parse("[".repeat(200) + "]".repeat(200)),
];

/** A text of about this many bytes, with characters of one to four bytes, so that cuts fall within all of them. */
function textOf(bytes: number): string {
  return "aé世👍".repeat(Math.ceil(bytes / 10));
}

/** Bytes of every value, whose number is no multiple of three. */
const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

export const values: Cases = {
  "an input reaches the job, and a result its owner, without any change": async (stage) => {
    const second = await stage.connect();
    await stage.take("echo", ({ input }) => Promise.resolve({ kind: "value", value: input }));
    for (const input of VALUES) {
      const task = await stage.create({ job: "echo", input });
      await stage.finished(task, second);
      strictEqual(
        JSON.stringify(await second.outcome(task.id, OWNER)),
        JSON.stringify({ kind: "value", value: input }),
      );
    }
  },

  "a lone surrogate in what a job reports, asks, returns or throws is replaced, in the same way everywhere": async (
    stage,
  ) => {
    const second = await stage.connect();
    await stage.work({
      returns: () => ({ "key \ud800": ["\udc00 text", "\ud83d\ude00"] }),
      throws: () => {
        throw new Error("error \ud800");
      },
      says: async (_, { log, signal }) => {
        await log("message \ud800");
        await aborted(signal);
      },
      asks: async (_, { elicit }) =>
        await elicit({
          message: "question \ud800",
          schema: { type: "object", properties: { sure: { type: "boolean", title: "title \udc00" } } },
        }),
    });
    const returned = await stage.create({ job: "returns" });
    await stage.finished(returned, second);
    const value = { "key \ufffd": ["\ufffd text", "😀"] };
    deepStrictEqual(await second.outcome(returned.id, OWNER), { kind: "value", value });
    const failed = await stage.create({ job: "throws" });
    strictEqual((await stage.finished(failed, second)).message, "error \ufffd");
    deepStrictEqual(await second.outcome(failed.id, OWNER), { kind: "tool_error", message: "error \ufffd" });
    const said = await stage.create({ job: "says" });
    await stage.until(said, "telling its message", ({ message }) => message === "message \ufffd", second);
    await stage.backend.cancel(said.id, OWNER, 10_000);
    const asking = await stage.create({ job: "asks" });
    const asked = await stage.until(asking, "INPUT_REQUIRED", ({ status }) => status === "INPUT_REQUIRED", second);
    const [question] = openQuestions(asked);
    deepStrictEqual([question?.message, question?.schema.properties], [
      "question \ufffd",
      { sure: { type: "boolean", title: "title \ufffd" } },
    ]);
    await stage.answer(asked, NO, second);
    await stage.finished(asking, second);
  },

  "what a job returns for the model to see reaches its owner without any change, and no other value passes for it":
    async (
      stage,
    ) => {
      const second = await stage.connect();
      const parts = [
        text("a chart \ud800"),
        image(BYTES, "image/png"),
        file(BYTES, { name: "a.bin", mimeType: "a/b" }),
      ];
      const data = BYTES.toBase64();
      const stored: Json = [
        { type: "text", text: "a chart \ufffd" },
        { type: "image", data, mimeType: "image/png" },
        { type: "file", name: "a.bin", mimeType: "a/b", data },
      ];
      await stage.work({
        content: () => content(parts),
        content_and_data: () => content(parts, { structuredContent: { points: 3 } }),
        large: () => content([file(new Uint8Array(3 * MIB).fill(7), { name: "a.bin", mimeType: "a/b" })]),
        json: ({ value }) => value,
      });
      const run = async (job: string, input: Json = {}) => {
        const task = await stage.create({ job, input });
        strictEqual((await stage.finished(task, second)).status, "COMPLETED");
        return await second.outcome(task.id, OWNER);
      };
      deepStrictEqual(await run("content"), { kind: "value", value: null, content: stored });
      deepStrictEqual(await run("content_and_data"), { kind: "value", value: { points: 3 }, content: stored });
      const large = await run("large");
      const [part] = "content" in large ? large.content ?? [] : [];
      strictEqual(part?.type === "file" && part.data === new Uint8Array(3 * MIB).fill(7).toBase64(), true);
      const alike: readonly Json[] = [
        stored,
        { content: stored },
        { kind: "value", value: 1, content: stored },
        { "mcp-jobs": 1, content: true },
      ];
      for (const value of alike) {
        deepStrictEqual(await run("json", { value }), { kind: "value", value });
      }
    },

  "values of 200 KB and of 5 MB do not change": async (stage) => {
    const second = await stage.connect();
    await stage.take("echo", ({ input }) => Promise.resolve({ kind: "value", value: input }));
    for (const size of [200_000, 5_000_000]) {
      const input = { text: textOf(size) };
      const task = await stage.create({ job: "echo", input });
      await stage.finished(task, second);
      const outcome = await second.outcome(task.id, OWNER);
      // Not compared in depth: a difference would print 5 MB.
      strictEqual(JSON.stringify(outcome) === JSON.stringify({ kind: "value", value: input }), true);
    }
  },

  "a task for a queue of others is refused where there are none, and nothing is stored": async (stage) => {
    if (stage.backend.routes) return;
    const route = { queue: "others", jobName: "theirs" };
    await rejects(stage.create({ job: "ours", route }), DefinitionError);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 10 })).tasks, []);
  },

  "an input of more than 16 MiB is refused, and nothing is stored": async (stage) => {
    const id = newTaskId();
    await rejects(stage.create({ id, job: "echo", input: { text: "x".repeat(16 * MIB) } }), InvalidValue);
    await rejects(stage.backend.get(id, OWNER), TaskNotFound);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 10 })).tasks, []);
  },

  "a result of more than 16 MiB fails its task with an error that says so": async (stage) => {
    await stage.work({ huge: () => "x".repeat(16 * MIB) });
    const task = await stage.create({ job: "huge" });
    strictEqual((await stage.finished(task)).status, "FAILED");
    const outcome = await stage.backend.outcome(task.id, OWNER);
    strictEqual(outcome.kind, "tool_error");
    match("message" in outcome ? outcome.message : "", /cannot be stored/);
  },

  "a job or an owner may have the name of a built-in object property": async (stage) => {
    const names = ["__proto__", "constructor", "toString", "a.b-c_d"];
    await stage.work(Object.fromEntries(names.map((name) => [name, () => name])));
    for (const name of names) {
      const task = await stage.create({ job: name, owner: name });
      await stage.finished(task);
      deepStrictEqual(await stage.backend.outcome(task.id, name), { kind: "value", value: name });
      deepStrictEqual((await stage.backend.list(name, { limit: 10 })).tasks.map(({ id }) => id), [task.id]);
    }
  },

  "names that differ only in case, in an accent or by a space at the end are different names": async (stage) => {
    const { keys, documents } = stage.backend;
    const names = ["name", "Name", "náme", "name "];
    const tasks: TaskInfo[] = [];
    for (const name of names) {
      strictEqual(await keys.writeKey(OWNER, name, undefined, name), true);
      strictEqual(await documents.write(name, undefined, name), true);
      tasks.push(await stage.create({ job: "waits", owner: name }), await stage.create({ job: "Waits", owner: name }));
    }
    for (const [index, name] of names.entries()) {
      deepStrictEqual([await keys.readKey(OWNER, name), await documents.read(name)], [name, name]);
      const own = tasks.slice(2 * index, 2 * index + 2);
      deepStrictEqual((await stage.backend.list(name, { limit: 10 })).tasks, own.toReversed());
      for (const { id } of tasks.filter((task) => !own.includes(task))) {
        await rejects(stage.backend.get(id, name), TaskNotFound);
      }
    }
    deepStrictEqual((await documents.list("name")).map(({ name }) => name), ["name", "name "]);
    await stage.work({ waits: () => "done" });
    for (const task of tasks) {
      if (task.job === "waits") await stage.finished(task);
      else deepStrictEqual(await stage.backend.get(task.id, task.owner), task);
    }
  },
};
