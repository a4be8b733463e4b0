import {
  createClient,
  createWorker,
  defineJob,
  DenoKvBackend,
  isFinished,
  type JobContext,
  type TaskInfo,
} from "../../../../mod.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { Committer, type Write } from "../../../../src/backends/kv/committer.ts";
import { cancelledNow, claimed, created, handedBack, stopRequested } from "../../../../src/backends/shared/record.ts";
import { KvSteps } from "../../../../src/backends/kv/values/steps.ts";
import { openQuestions } from "../../../../src/task.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";
import { found, storeOf } from "../support/store.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

const OWNER = "ann";
const retry = { attempts: 2, delay: 1, maxDelay: 1 };
const large = () => "x".repeat(200_000);

/** Each records a small and a large step. One asks, one fails once after them, one steps on in its second attempt. */
const jobs = [
  defineJob({
    name: "once",
    input: { type: "object" },
    run: async (_, { step }) => void [await step("small", () => 1), await step("large", large)],
  }),
  defineJob({
    name: "twice",
    input: { type: "object" },
    run: async (_, { step, attempt }) => {
      await step("small", () => 1);
      await step("large", large);
      if (attempt === 1) throw new Error("not today");
      await step("second", large);
    },
  }),
  defineJob({
    name: "asks",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, { step, elicit }) => {
      await step("large", large);
      await elicit({ message: "Sure?", schema: { type: "object" } });
    },
  }),
];

Deno.test("KV: the end of a task deletes its recorded steps, also when it is cancelled while it is parked", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const backend = await DenoKvBackend.open({ path, lease: 60_000 });
  const worker = createWorker(backend, jobs, { concurrency: 4 });
  const parked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const ends: TaskInfo[] = [];
  backend.watch((event) => {
    if (event.kind === "gap") return;
    if ("parked" in event.task) parked.resolve();
    if (isFinished(event.task) && ends.push(event.task) === jobs.length) ended.resolve();
  });
  const ids = jobs.map(({ name: job }) => ({ id: newTaskId(), job }));
  for (const task of ids) await backend.create({ ...task, owner: OWNER, input: {}, resultTtl: 60_000, retry });
  await parked.promise;
  const kv = await Deno.openKv(path);
  const [, , asks] = ids;
  const recorded = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step", asks?.id ?? ""] }));
  assertEquals(recorded.length, 1);
  await backend.cancel(asks?.id ?? "", OWNER, 0);
  await ended.promise;
  assertEquals(ends.map(({ status }) => status).sort(), ["CANCELLED", "COMPLETED", "COMPLETED"]);
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step"] })), []);
  // Every piece of a large step belongs to a mark, with which it is deleted.
  const pieces = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "blob"] }));
  const marks = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "garbage"] }));
  const marked = new Set(marks.map(({ key }) => key.at(-1)));
  assertEquals([marked.size, pieces.filter(({ key }) => !marked.has(key[2] ?? ""))], [4, []]);
  kv.close();
  await worker.close(0);
  await backend.close();
});

Deno.test("KV: the end of an answered task deletes the steps of all its runs, and searches for none if there are none", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-steps-" });
  const path = `${folder}/jobs.kv`;
  const backend = await DenoKvBackend.open({ path, lease: 60_000 });
  const ask = { message: "Sure?", schema: { type: "object" } } as const;
  const run = (steps: readonly string[]) => async (_: unknown, { step, elicit }: JobContext) => {
    for (const name of steps) name === "ask" ? await elicit(ask) : await step(name, () => 1);
  };
  const orders = {
    none: ["ask", "ask"],
    before: ["1", "ask", "ask"],
    between: ["ask", "1", "ask"],
    after: ["ask", "ask", "1"],
  };
  const worker = createWorker(
    backend,
    Object.entries(orders).map(([name, steps]) =>
      defineJob({ name, input: { type: "object" }, parkAfter: 0, run: run(steps) })
    ),
  );
  const list = Deno.Kv.prototype.list;
  const searches: Record<string, number> = {};
  for (const job of Object.keys(orders)) {
    const id = newTaskId();
    const ended = Promise.withResolvers<void>();
    const stop = backend.watch((event) => {
      if (event.kind === "gap" || event.task.id !== id) return;
      const { task } = event;
      if (isFinished(task)) ended.resolve();
      if (!("parked" in task)) return;
      void backend.answer(
        id,
        OWNER,
        Object.fromEntries(openQuestions(task).map(({ key }) => [key, { action: "decline" }])),
      );
    });
    Deno.Kv.prototype.list = function (selector, options) {
      const { prefix = [] } = selector as { readonly prefix?: Deno.KvKey };
      if (prefix[1] === "step") searches[job] = (searches[job] ?? 0) + 1;
      return list.call(this, selector, options) as Deno.KvListIterator<never>;
    };
    await backend.create({ id, job, owner: OWNER, input: {}, resultTtl: 60_000, retry });
    await ended.promise.finally(() => Deno.Kv.prototype.list = list);
    stop();
  }
  const kv = await Deno.openKv(path);
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step"] })), []);
  assertEquals(searches.none, undefined);
  kv.close();
  await worker.close(0);
  await backend.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("KV: a large step during which its job logs leaves no pieces behind that nothing will delete", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  const backend = await DenoKvBackend.open({ path, lease: 60_000 });
  const logs = defineJob({
    name: "logs",
    input: { type: "object" },
    run: async (_, { step, log }) => {
      for (const name of ["1", "2", "3"]) {
        void log(name);
        await step(name, large);
      }
    },
  });
  const worker = createWorker(backend, [logs]);
  using client = createClient(backend, { owner: OWNER });
  await client.wait(await client.start(logs, {}));
  const kv = await Deno.openKv(path);
  const pieces = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "blob"] }));
  const marks = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "garbage"] }));
  const marked = new Set(marks.map(({ key }) => key.at(-1)));
  assertEquals(pieces.filter(({ key }) => !marked.has(key[2] ?? "")).map(({ key }) => key), []);
  kv.close();
  await worker.close(0);
  await backend.close();
});

Deno.test("KV: a step that is recorded while another process ends its task is deleted, too", async () => {
  const kv = await Deno.openKv(":memory:");
  const worker = storeOf(kv, new Committer(kv, "worker", () => {}));
  const now = Date.now();
  const record = stopRequested(claimed(created(newTask({ owner: OWNER }), now), "worker", now), now);
  await worker.create(record, "{}");
  const { id } = record.info;
  const held = await found(worker, id);
  /** Its worker records a step just before the end is committed. */
  class Overtaken extends Committer {
    override async commit(write: Write): Promise<string | null> {
      if (write.event) assert(await worker.record(held, { index: 0, text: large() }));
      return await super.commit(write);
    }
  }
  const other = storeOf(kv, new Overtaken(kv, "other", () => {}));
  assert(await other.change(await found(other, id), cancelledNow(record, now)));
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step"] })), []);
  assertEquals((await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "garbage"] }))).length, 1);
  kv.close();
});

Deno.test("KV: a large step whose commit is repeated leaves no pieces behind that nothing will delete", async () => {
  const kv = await Deno.openKv(":memory:");
  /** Its first commit of a step is carried out, and fails even so. */
  class Unsure extends Committer {
    #failed = false;
    override async commit(write: Write): Promise<string | null> {
      const done = await super.commit(write);
      if (this.#failed || !write.checks) return done;
      this.#failed = true;
      throw new Error("disk I/O error");
    }
  }
  const committer = new Unsure(kv, "writer", () => {});
  const steps = new KvSteps(kv, committer);
  const [id, check, known] = [newTaskId(), { key: ["task"], versionstamp: null }, new Map()];
  const record = () => steps.record(id, check, { index: 1, text: large() }, known);
  await assertRejects(record, Error, "disk I/O error");
  assertEquals(await record(), true);
  const { sets, deletes } = await steps.deletion(id, known, Date.now());
  await committer.commit({ sets, deletes, bytes: 0 });
  const pieces = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "blob"] }));
  const marks = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "garbage"] }));
  const marked = new Set(marks.map(({ key }) => key.at(-1)));
  const unmarked = pieces.filter(({ key }) => !marked.has(key[2] ?? ""));
  assertEquals([pieces.length, unmarked.map(({ key }) => key)], [8, []]);
  kv.close();
});

Deno.test("KV: the recorded steps of a task that was handed back are deleted when it is cancelled", async () => {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = storeOf(kv, committer);
  const now = Date.now();
  const record = created(newTask({ owner: OWNER }), now);
  const { id } = record.info;
  await store.create(record, "{}");
  const taken = await store.change(await found(store, id), claimed(record, "worker", now));
  const step = { index: 0, text: '{"name":"a"}' };
  assert(taken && await store.record(taken, step));
  const back = await store.change(taken, handedBack(taken.record, false, [step], now).record);
  assert(back);
  assertEquals((await store.steps(back)).length, 1);
  const waiting = await found(store, id);
  const ended = await store.change(waiting, cancelledNow(waiting.record, now));
  assert(ended);
  assertEquals(await store.steps(ended), []);
  await committer.drained();
});
