import type { TaskQuery } from "../../../../src/operator/primitives.ts";
import { notableKey } from "../../../../src/backends/kv/keys.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { operated } from "../../../../src/backends/shared/store/operated.ts";
import { firstIdOf, newTaskId } from "../../../../src/ids.ts";
import { operatorOf } from "../../../../src/operator/operator.ts";
import { type TaskInfo, TaskStatus } from "../../../../src/task.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { type Opened, withFile } from "./support.ts";

const QUESTION = { key: "which", message: "Which?", schema: { type: "object" } };

const never = () => Promise.reject(new Error("not called"));

/** All tasks that match, read page by page. */
async function all({ store }: Opened, query: TaskQuery, limit: number): Promise<readonly string[]> {
  const ids: string[] = [];
  let before = query.before;
  while (true) {
    const page = await store.operating.page({ ...query, before }, limit);
    const matching = page.tasks.filter(({ job, status, owner }) =>
      (query.job ?? job) === job && (query.status ?? status) === status && (query.owner ?? owner) === owner
    );
    ids.push(...matching.map(({ id }) => id));
    if (page.next === undefined) return ids;
    assert(before === undefined || page.next < before);
    before = page.next;
  }
}

Deno.test("KV: the pages of any filter have each matching task once, whichever queue, list or index it is in", () =>
  withFile(async (opened) => {
    const { store, create, change: write, finish, clock } = opened;
    const { now } = clock;
    const held: TaskInfo[] = [];
    const tasks: TaskInfo[] = [];
    for (let i = 0; i < 90; i++) {
      const [job, owner, priority] = [`job-${i % 4}`, `owner-${i % 3}`, i % 5];
      const entry = await create({ job, owner, priority, delay: i % 9 === 7 ? 60_000 : undefined });
      const claim = () => write(entry, change.claimed(entry.record, "worker", now));
      const ways = [
        () => finish(entry),
        () => finish(entry, { kind: "error", message: "no", retry: false }),
        () => finish(entry, { kind: "error", message: "later", retry: true }),
        () => write(entry, change.cancelledNow(entry.record, now)),
        claim,
        async () => {
          const running = await claim();
          return await write(running, change.asked(running.record, [QUESTION], now));
        },
        async () => {
          const running = await claim();
          return await write(running, change.parked(running.record, { keys: [], until: now + 60_000 }, now));
        },
      ];
      const { record } = await (ways[i % 9] ?? (() => Promise.resolve(entry)))();
      tasks.unshift(record.info);
      if (record.holder !== undefined) held.push(record.info);
    }
    const living = { name: "worker", host: "here", pid: 1, jobs: ["job-0"], since: now };
    await store.lease(living, () => held).renew();
    const middle = [tasks[30]?.id, tasks[60]?.id];
    for (const status of [undefined, ...Object.values(TaskStatus)]) {
      for (const job of [undefined, "job-1", "no job"]) {
        for (const owner of [undefined, "owner-2"]) {
          for (const [before, from] of [[], middle]) {
            const expected = tasks.filter((task) =>
              (job ?? task.job) === task.job && (status ?? task.status) === task.status &&
              (owner ?? task.owner) === task.owner && (before === undefined || task.id < before) &&
              (from === undefined || task.id >= from)
            );
            const query = { status, job, owner, before, from };
            for (const limit of [3, 100]) {
              assertEquals(await all(opened, query, limit), expected.map(({ id }) => id), JSON.stringify(query));
            }
          }
        }
      }
    }
    assertEquals(new Set(tasks.map(({ status }) => status)).size, 7);
    for (const { id } of tasks) assertEquals((await store.operating.find(id))?.record.info.id, id);
    assertEquals(await store.operating.find(newTaskId()), undefined);
  }));

Deno.test("KV: tasks are listed even if they have more priorities than a list distinguishes", () =>
  withFile(async (opened) => {
    const ids: string[] = [];
    for (let priority = 0; priority < 120; priority++) ids.unshift((await opened.create({ priority })).record.info.id);
    assertEquals(await all(opened, { status: "PENDING" }, 50), ids);
  }));

Deno.test("KV: a page that matches nothing among many tasks reads a bounded number, and returns a cursor", () =>
  withFile(async (opened) => {
    const { store, create, finish } = opened;
    const old = await finish(await create());
    await Promise.all(Array.from({ length: 2_000 }, () => create()));
    let pages = 0;
    let before: string | undefined;
    do {
      const page = await store.operating.page({ status: "COMPLETED", before }, 10);
      before = page.next;
      pages++;
      assertEquals(page.tasks.map(({ id }) => id), before === undefined ? [old.record.info.id] : []);
    } while (before !== undefined);
    assertEquals(pages, 2);
  }));

Deno.test("KV: the oldest task of a queue is the one that has waited longest, whatever its priority", () =>
  withFile(async ({ store, create, clock }) => {
    const times: number[] = [];
    for (const priority of [5, 0, 9]) {
      times.push(clock.now);
      await create({ priority });
      clock.now += 10;
    }
    await create({ job: "delayed", delay: 10_000 });
    const counted = new Map((await store.operating.counts()).map(({ job, oldestWaiting }) => [job, oldestWaiting]));
    assertEquals([counted.get("job"), counted.get("delayed")], [times[0], undefined]);
  }));

Deno.test("KV: a page of tasks until a time reads none that are newer, and includes tasks whose ids are ahead of the clock", () =>
  withFile(async ({ store, create, clock }) => {
    const { tasks } = operatorOf(
      {
        cancel: never,
        create: never,
        documents: { read: never, list: never, write: never, watch: () => never },
      },
      operated(() => store, () => []),
      { jobs: never, pause: never, resume: never },
    );
    const idAt = (time: number) => firstIdOf(time).slice(0, 19) + crypto.randomUUID().slice(19);
    const old = await create({ id: idAt(clock.now) });
    const until = clock.now += 1;
    await Promise.all(Array.from({ length: 20 }, () => create({ id: idAt(clock.now) })));
    // Reads as few as there are: a page that began a minute later would go through the newer ones first.
    const pages: TaskQuery[] = [];
    const page = store.operating.page.bind(store.operating);
    store.operating.page = (query, limit) => {
      pages.push(query);
      return page(query, limit);
    };
    assertEquals((await tasks({ until, limit: 5 })).tasks.map(({ id }) => id), [old.record.info.id]);
    assertEquals(pages.map(({ before }) => before), [firstIdOf(until)]);
    clock.now -= 5_000; // The clock is set back while an id is being stored.
    const ahead = await create({ id: idAt(until + 10) });
    const found = (await tasks({ until: clock.now + 1, limit: 5 })).tasks.map(({ id }) => id);
    assertEquals(found, [ahead.record.info.id]);
  }));

Deno.test("KV: a task leaves no key behind in the index of a status that it no longer has", () =>
  withFile(async ({ kv, create, change: write, finish, clock: { now } }) => {
    const steps: ((record: change.TaskRecord) => change.Ended | change.TaskRecord)[] = [
      (record) => change.claimed(record, "worker", now),
      (record) => change.asked(record, [QUESTION], now),
      (record) => change.answered(record, { which: { action: "decline" } }, now),
      (record) => change.settled(record, { kind: "error", message: "no", retry: true }, now, 0),
    ];
    let entry = await create({ delay: 1_000 });
    const seen = [entry.record.info.status];
    for (const step of steps) {
      entry = await write(entry, step(entry.record));
      seen.push(entry.record.info.status);
    }
    seen.push((await finish(entry)).record.info.status);
    assertEquals(seen, ["PENDING", "RUNNING", "INPUT_REQUIRED", "RUNNING", "RETRYING", "COMPLETED"]);
    const prefix = notableKey("job", "PENDING").slice(0, -1);
    assertEquals(await Array.fromAsync(kv.list({ prefix })), []);
  }));
