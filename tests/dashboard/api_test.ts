/** What the live page asks of its server, without a browser. */
import { serveDashboard } from "../../dashboard.ts";
import type { Operator, TaskEvent } from "../../backend.ts";
import {
  BackendError,
  createClient,
  createWorker,
  defineJob,
  type Json,
  MemoryBackend,
  type OnError,
} from "../../mod.ts";
import { actionOf } from "../../src/dashboard/actions.ts";
import type { Dashboard } from "../../src/dashboard/mod.ts";
import type { Line } from "../../src/dashboard/wire.ts";
import { newTaskId } from "../../src/ids.ts";
import { SCHEDULE, toText } from "../../src/schedules/schedule.ts";
import { until } from "../support/processes.ts";
import { assert, assertEquals, FakeTime } from "../../tools/std.ts";

const input = { type: "object" } as const;

const report = defineJob({
  name: "report",
  input,
  run: async (input, { log, step }) => {
    await log("begun");
    return await step("load", () => input);
  },
});

/** A backend that counts who watches it. */
class Watched extends MemoryBackend {
  watchers = 0;

  override watch(listener: (event: TaskEvent) => void): () => void {
    this.watchers++;
    const stop = super.watch(listener);
    return () => {
      this.watchers--;
      stop();
    };
  }
}

/** The page that is open in a browser. */
class Page implements AsyncDisposable {
  readonly #dashboard: Dashboard;
  readonly #url: URL;

  private constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
    this.#url = new URL(dashboard.url);
  }

  static async open(backend: MemoryBackend, onError?: OnError): Promise<Page> {
    return new Page(await serveDashboard(backend, { onError }));
  }

  fetch(path: string, method = "GET"): Promise<Response> {
    const token = this.#url.hash.slice("#token=".length);
    const headers = { authorization: `Bearer ${token}`, origin: this.#url.origin };
    return fetch(new URL(`/api/${path}`, this.#url), { method, headers });
  }

  /** The answer to a request, with its status if it was refused. */
  async json(path: string, method?: string): Promise<Json> {
    const response = await this.fetch(path, method);
    const body = await response.json();
    return response.ok ? body : { ...body, refused: response.status };
  }

  /** What is sent to an open view. */
  async *view(query: string): AsyncGenerator<Line> {
    const { body } = await this.fetch(`live?${query}`);
    assert(body);
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dashboard[Symbol.asyncDispose]();
  }
}

/** Reads lines of a view until one is right. */
async function untilLine<Found>(lines: AsyncGenerator<Line>, find: (line: Line) => Found | undefined): Promise<Found> {
  while (true) {
    const { value, done } = await lines.next();
    assert(!done, "the view has ended");
    const found = find(value);
    if (found !== undefined) return found;
  }
}

Deno.test("what a person does on the page is done, and the page learns what came of it", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const [begun, ending] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const stubborn = defineJob({
    name: "stubborn",
    input,
    run: () => {
      begun.resolve();
      return ending.promise;
    },
  });
  await using _worker = createWorker(backend, [report, stubborn]);
  await using page = await Page.open(backend);

  const done = await client.start(report, {});
  await client.wait(done);
  const repeated = await page.json(`tasks/${done.id}/retry`, "POST") as { readonly message: string; task: string };
  assertEquals(repeated.message, "A new task repeats it.");
  assertEquals((await backend.get(repeated.task, "user:ann")).job, "report");

  const delayed = await client.start(report, {}, { startAt: new Date(Date.now() + 3_600_000) });
  assertEquals(await page.json(`tasks/${delayed.id}/cancel`, "POST"), { message: "The task is cancelled." });
  const running = await client.start(stubborn, {});
  await begun.promise;
  assertEquals(await page.json(`tasks/${running.id}/cancel`, "POST"), {
    message: "The task is cancelled. Its code was asked to stop, and has not confirmed.",
  });
  ending.resolve();
  assertEquals(await page.json(`tasks/${done.id}/cancel`, "POST"), {
    error: `Cannot cancel task "${done.id}": it is already COMPLETED.`,
    refused: 409,
  });

  const paused = { message: "report is paused: no worker begins its tasks." };
  assertEquals(await page.json("jobs/report/pause", "POST"), paused);
  assertEquals((await backend.operator.counts()).map(({ job, paused }) => [job, paused]), [
    ["report", true],
    ["stubborn", false],
  ]);
  assertEquals(await page.json("jobs/report/resume", "POST"), { message: "report runs again." });
  assertEquals((await backend.operator.counts())[0]?.paused, false);

  const times = { every: 60_000 };
  const schedule = { job: "report", owner: "user:ann", input: {}, times, catchUp: true, paused: false, anchor: 0 };
  await backend.documents.write(`${SCHEDULE}nightly`, undefined, toText(schedule));
  const states = { pause: [true], resume: [false], remove: [] };
  for (const [verb, did] of [["pause", "is paused"], ["resume", "runs again"], ["remove", "is removed"]] as const) {
    assertEquals(await page.json(`schedules/nightly/${verb}`, "POST"), { message: `The schedule nightly ${did}.` });
    assertEquals((await backend.operator.schedules()).map(({ paused }) => paused), states[verb]);
  }
  const gone = { message: "There is no schedule nightly any more." };
  assertEquals(await page.json("schedules/nightly/pause", "POST"), gone);
  assertEquals(await page.json("tasks/nightly/remove", "POST"), { error: "There is no such action.", refused: 404 });
});

Deno.test("who pauses a job learns which whole queues that has paused", async () => {
  const operator = { pause: () => Promise.resolve(["reports"]) } as unknown as Operator;
  const message =
    "report is paused: no worker begins its tasks. The whole queue reports is paused: its other jobs wait, too.";
  assertEquals(await actionOf("jobs", "pause")?.(operator, "report"), { message });
});

Deno.test("each 10 s the tasks are counted for the charts; a failure is reported, and leaves the page open", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  await using _backend = backend;
  const errors: unknown[] = [];
  const onError: OnError = (error, { where }) => errors.push(error, where);
  await using page = await Page.open(backend, onError);
  using client = createClient(backend, { owner: "user:ann" });
  const { id } = await client.start(report, {});
  await backend.cancel(id, "user:ann", 0);
  const { counts } = backend.operator;
  const away = new BackendError("The store is away.");
  Object.assign(backend.operator, { counts: () => Promise.reject(away) });
  await time.tickAsync(10_000);
  Object.assign(backend.operator, { counts });
  await time.tickAsync(10_000);
  const line = await untilLine(page.view("view=overview"), (line) => line.view === "overview" ? line : undefined);
  assertEquals(line.samples.map(({ ms, created }) => [ms, created]), [[0, 0], [20_000, 1]]);
  assertEquals(errors, [away, "count the tasks for the live page"]);
});

Deno.test("the page reads the input and the outcome of a task of any owner", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [report]);
  using client = createClient(backend, { owner: "user:ann" });
  const { id } = await client.start(report, { team: "blue" });
  await client.wait(id);
  await using page = await Page.open(backend);
  assertEquals(await page.json(`tasks/${id}/input`), { input: { team: "blue" } });
  assertEquals(await page.json(`tasks/${id}/outcome`), { outcome: { kind: "value", value: { team: "blue" } } });
  for (const path of [`tasks/${id}`, `jobs/${id}/input`]) {
    assertEquals(await page.json(path), { error: "There is nothing here.", refused: 404 });
  }
});

Deno.test("an open view follows what happens, and ends with the page or when the browser leaves it", async () => {
  await using backend = new Watched();
  using client = createClient(backend, { owner: "user:ann" });
  const page = await Page.open(backend);
  const before = backend.watchers;
  const task = await client.start(report, {});
  const [one, none, jobs] = [`view=task&id=${task.id}`, `view=task&id=${newTaskId()}`, "view=overview"].map((query) =>
    page.view(query)
  );
  assert(one && none && jobs);
  const statusIn = (line: Line) => line.view === "task" ? line.task?.status : undefined;
  assertEquals(await untilLine(one, statusIn), "PENDING");
  assertEquals(
    await untilLine(none, (line) => line.view === "task" ? [line.task, line.timeline, line.log] : undefined),
    [
      undefined,
      [],
      [],
    ],
  );
  await using worker = createWorker(backend, [report]);
  await client.wait(task);
  const ended = await untilLine(
    one,
    (line) => line.view === "task" && line.task?.status === "COMPLETED" ? line : undefined,
  );
  assertEquals(ended.log.map(({ text }) => text), ["begun"]);
  const happened = ended.timeline.map(({ text }) => text);
  assert(happened.includes("Attempt 1 began") && happened.at(-1) === "Completed", happened.join());
  await worker.close();

  const first = await untilLine(jobs, (line) => line.view === "overview" ? line : undefined);
  assertEquals(first.samples.length, 1);
  await page.json("jobs/report/pause", "POST");
  const isPaused = (line: Line) => line.view === "overview" && line.jobs.some(({ paused }) => paused) || undefined;
  await untilLine(jobs, isPaused);

  assertEquals(backend.watchers - before, 3);
  await none.return(undefined);
  await until(() => backend.watchers - before === 2, "the view has ended");
  await page[Symbol.asyncDispose]();
  for (const lines of [one, jobs]) for await (const _ of lines) { /* What was sent before. */ }
  assertEquals(backend.watchers, before - 1);
});
