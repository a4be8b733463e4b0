import type { TaskFilter } from "../../../backend.ts";
import { TasksView } from "../../../src/dashboard/views/tasks.ts";
import { matches } from "../../../src/operator/filter.ts";
import type { TaskInfo } from "../../../src/task.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { listing, taskOf } from "../support/tasks.ts";

/** A page of at most `limit` of these tasks; `asked` is what the store was asked. */
function pageOf(tasks: readonly TaskInfo[], filter: TaskFilter = {}, limit = 3) {
  const asked: TaskFilter[] = [];
  const operator = listing((filter) => {
    asked.push(filter);
    const found = tasks.filter((task) => matches(task, filter) && !(filter.cursor && task.id >= filter.cursor))
      .sort((a, b) => a.id < b.id ? 1 : -1);
    const page = found.slice(0, filter.limit);
    return Promise.resolve({ tasks: page, ...(found.length > page.length && { nextCursor: page.at(-1)?.id }) });
  });
  return { view: new TasksView(operator, { ...filter, limit }), asked };
}

const changed = (task: TaskInfo) => ({ kind: "change", task }) as const;
const idsOf = async (view: TasksView) => (await view.read()).tasks.map(({ id }) => id);

Deno.test("a change of a task that is shown is shown without a read of the store, and a late event changes nothing", async () => {
  const task = taskOf({ revision: 3 });
  const { view, asked } = pageOf([task]);
  await view.read();
  assert(view.observe(changed({ ...task, revision: 4, message: "half" })));
  assert(!view.observe(changed({ ...task, revision: 2, message: "late" })));
  assertEquals((await view.read()).tasks.map(({ message }) => message), ["half"]);
  assertEquals(asked.length, 1);
});

Deno.test("the end of a task is shown, although a failover has lost changes that were shown", async () => {
  const task = taskOf({ status: "RUNNING", revision: 7 });
  const { view } = pageOf([task]);
  await view.read();
  assert(view.observe(changed(taskOf({ ...task, status: "COMPLETED", revision: 4, finishedAt: 9 }))));
  assertEquals((await view.read()).tasks.map(({ status }) => status), ["COMPLETED"]);
  assert(!view.observe(changed({ ...task, revision: 8 })));
});

Deno.test("a new task comes first and the oldest leaves the page; one that is older than the page changes nothing", async () => {
  const [oldest, ...tasks] = [taskOf(), taskOf(), taskOf(), taskOf()];
  assert(oldest);
  const { view } = pageOf([oldest, ...tasks]);
  await view.read();
  assert(!view.observe(changed({ ...oldest, revision: 2 })));
  const newest = taskOf();
  assert(view.observe(changed(newest)));
  assertEquals(await idsOf(view), [newest, tasks[2], tasks[1]].map((task) => task?.id ?? ""));
});

Deno.test("a task that no longer fits the filter leaves the page, and what does not fit is never on it", async () => {
  const task = taskOf();
  const { view } = pageOf([task], { status: "PENDING", job: "report", owner: "me" });
  await view.read();
  assert(!view.observe(changed(taskOf({ owner: "you" }))));
  assert(!view.observe(changed(taskOf({ job: "other" }))));
  assert(view.observe(changed({ ...task, status: "RUNNING", revision: 2 } as TaskInfo)));
  assertEquals(await idsOf(view), []);
});

Deno.test("a new task is not on a page of older ones", async () => {
  const tasks = [taskOf(), taskOf()];
  const { view } = pageOf(tasks, { cursor: tasks[1]?.id });
  assertEquals(await idsOf(view), [tasks[0]?.id ?? ""]);
  assert(!view.observe(changed(taskOf())));
});

Deno.test("the store is read further if one of its pages has fewer tasks than requested", async () => {
  const tasks = [taskOf(), taskOf(), taskOf(), taskOf()];
  const operator = listing(({ cursor }) => {
    const at = Number(cursor ?? 0);
    // None of its own in each other page.
    const page = at % 2 === 0 ? [] : tasks.slice((at - 1) / 2, (at + 1) / 2);
    return Promise.resolve({ tasks: page, ...(at < 7 && { nextCursor: `${at + 1}` }) });
  });
  const view = new TasksView(operator, { limit: 3 });
  const shown = await view.read();
  assertEquals([shown.tasks.length, shown.nextCursor], [3, "6"]);
});

Deno.test("changes during a read of the store are shown, even if the read does not include them", async () => {
  const task = taskOf();
  const answer = Promise.withResolvers<void>();
  const operator = listing(async () => {
    await answer.promise;
    return { tasks: [task] };
  });
  const view = new TasksView(operator, { limit: 3 });
  const reading = view.read();
  view.observe(changed({ ...task, revision: 2, message: "running" }));
  answer.resolve();
  assertEquals((await reading).tasks.map(({ message }) => message), ["running"]);
});
