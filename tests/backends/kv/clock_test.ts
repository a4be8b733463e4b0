/**
 * The clock of a machine, set back by two hours: a process whose clock is ahead by as much leaves its tasks to this one.
 *
 * @module
 */
import { createWorker, defineJob, DenoKvBackend, type TaskInfo } from "../../../mod.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals } from "../../../tools/std.ts";
import { SetClock } from "../../support/set_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const HOURS = 3_600_000;
const OWNER = "ann";
const LEASE = 600;

/** What the other process does, and where its clock is. */
interface Orders {
  readonly path: string;
  readonly ahead: number;
  /** The names of the jobs whose tasks it is to create and run: see `jobs`. */
  readonly create: readonly string[];
}

/** One fails at first, one never ends where it is told so, one is only ever begun by its second worker. */
function jobs(first: boolean) {
  const input = { type: "object" } as const;
  const backoff = { delay: 300, maxDelay: 300 };
  return [
    defineJob({
      name: "flaky",
      input,
      backoff,
      run: () => {
        if (first) throw new Error("not today");
      },
    }),
    defineJob({ name: "endless", input, run: () => first ? new Promise(() => {}) : undefined }),
    ...first ? [] : [defineJob({ name: "delayed", input, run: () => {} })],
  ];
}

function create(backend: DenoKvBackend, job: string, resultTtl = 60_000, attempts = 2): Promise<TaskInfo> {
  const delay = job === "delayed" ? 300 : undefined;
  const retry = { attempts, delay: 300, maxDelay: 300 };
  return backend.create({ id: newTaskId(), job, owner: OWNER, input: {}, resultTtl, retry, delay });
}

/** The other process: creates, runs, and says of each task when it is as far as it gets. */
async function act({ path, ahead, create: names }: Orders): Promise<void> {
  using _clock = new SetClock(ahead);
  await using backend = await DenoKvBackend.open({ path, lease: LEASE });
  const FAR = { flaky: "RETRYING", endless: "RUNNING", delayed: "PENDING" };
  backend.watch((event) => {
    if (event.kind !== "change") return;
    const { id, job, status } = event.task;
    if (Object.entries(FAR).some(([name, far]) => name === job && far === status)) console.log(id);
  });
  await using worker = createWorker(backend, jobs(true));
  await worker.ready;
  console.log("ready");
  // However often this process fails before it is killed, there is an attempt left.
  for (const name of names) await create(backend, name, 60_000, 1_000);
  for await (const _ of Deno.stdin.readable);
}

/** Starts it, and gives the next lines that it writes. */
function start(orders: Orders) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", import.meta.filename ?? "", JSON.stringify(orders)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = "";
  return {
    lines: async (count: number) => {
      while (text.split("\n").length <= count) {
        const { value, done } = await output.next();
        if (done) throw new Error(`The process has ended after ${text}`);
        text += value;
      }
      const all = text.split("\n");
      text = all.slice(count).join("\n");
      return all.slice(0, count);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
      await output.return?.();
      await child.stdin.close().catch(() => {}); // Its other end is gone.
    },
  };
}

async function withFile(run: (path: string) => Promise<void>): Promise<void> {
  await using folder = await TempFolder.make();
  await run(`${folder.path}/jobs.kv`);
}

Deno.test("KV: retries, delayed tasks and a dead worker's tasks do not wait for a clock that was set back by two hours", () =>
  withFile(async (path) => {
    const other = start({ path, ahead: 2 * HOURS, create: ["flaky", "endless", "delayed"] });
    const [, ...ids] = await other.lines(4).finally(() => other.kill());
    await using backend = await DenoKvBackend.open({ path, lease: LEASE });
    using feed = new TaskFeed(backend);
    await using _worker = createWorker(backend, jobs(false));
    const ends = await Promise.all(ids.map((id) => feed.wait(id, OWNER, AbortSignal.timeout(60_000))));
    assertEquals(ends.map(({ job, status }) => [job, status]).toSorted(), [
      ["delayed", "COMPLETED"],
      ["endless", "COMPLETED"],
      ["flaky", "COMPLETED"],
    ]);
  }));

Deno.test("KV: a worker that lives on while the clock is set back goes on with retries and delayed tasks", () =>
  withFile(async (path) => {
    using clock = new SetClock();
    await using backend = await DenoKvBackend.open({ path, lease: LEASE });
    using feed = new TaskFeed(backend);
    clock.ahead = 2 * HOURS;
    await using worker = createWorker(backend, [
      defineJob({
        name: "flaky",
        input: { type: "object" },
        run: (_, { attempt }) => {
          clock.ahead = 0;
          if (attempt === 1) throw new Error("not today");
        },
      }),
      defineJob({ name: "delayed", input: { type: "object" }, run: () => {} }),
    ]);
    await worker.ready;
    const tasks = [await create(backend, "delayed"), await create(backend, "flaky")];
    const ends = await Promise.all(tasks.map(({ id }) => feed.wait(id, OWNER, AbortSignal.timeout(60_000))));
    assertEquals(ends.map(({ status }) => status), ["COMPLETED", "COMPLETED"]);
  }));

Deno.test("KV: the result of a worker whose clock is ten minutes behind, or ahead, does not expire at once", () =>
  withFile(async (path) => {
    for (const ahead of [-600_000, 600_000]) {
      const other = start({ path, ahead, create: [] });
      try {
        await other.lines(1);
        await using backend = await DenoKvBackend.open({ path, lease: LEASE });
        using feed = new TaskFeed(backend);
        const { id } = await create(backend, "flaky", 300_000);
        const end = await feed.wait(id, OWNER, AbortSignal.timeout(60_000));
        assertEquals([end.status, (await backend.outcome(id, OWNER)).kind], ["FAILED", "tool_error"]);
      } finally {
        await other.kill();
      }
    }
  }));

if (import.meta.main) await act(JSON.parse(Deno.args[0] ?? ""));
