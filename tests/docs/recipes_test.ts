import { refund } from "../../docs/recipes/approval.ts";
import { accept } from "../../docs/snippets/answer.ts";
import { generateReport, newReportServer } from "../../docs/recipes/from_mcp_celery.ts";
import { drawSales } from "../../docs/recipes/image.ts";
import { chargeWith } from "../../docs/recipes/safe_retry.ts";
import { translateWith } from "../../docs/recipes/limit.ts";
import { newServer } from "../../docs/recipes/schedule.ts";
import { runProgram } from "../../docs/recipes/subprocess.ts";
import { failures, repeat } from "../../docs/recipes/what_failed_last_night.ts";
import {
  createClient,
  createWorker,
  defineJob,
  type Job,
  MemoryBackend,
  type TaskClient,
  ToolError,
} from "../../mod.ts";
import { InvalidInput } from "../../strategy.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, FakeTime } from "../../tools/std.ts";
import { pause } from "../../src/waiting.ts";

/** A backend with a worker for one job, and a client. */
class Shop implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly client: TaskClient = createClient(this.backend, { owner: "me" });

  constructor(job: Job) {
    createWorker(this.backend, [job]);
  }

  /** Resolves with the key of the next question. */
  async asked(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const leave = this.backend.watch((event) => {
      const question = event.kind === "change" && event.task.status === "INPUT_REQUIRED" && event.task.questions?.[0];
      if (question) resolve(question.key);
    });
    return await promise.finally(leave);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.backend.close();
  }
}

Deno.test("recipe approval: the refund is paid once a person has approved it", async () => {
  await using shop = new Shop(refund);
  const asked = shop.asked();
  const task = await shop.client.start(refund, { order: "A-1", amount: 500 });
  const content = { approved: true };
  await shop.backend.answer(task.id, "me", { [await asked]: { action: "accept", content } });
  assertEquals(await shop.client.wait(task), { refunded: true });
});

Deno.test("recipe approval: an answer from a page that does not fit is refused, the next one counts, and only once", async () => {
  await using shop = new Shop(refund);
  const asked = shop.asked();
  const { id, ...task } = await shop.client.start(refund, { order: "A-1", amount: 500 });
  const key = await asked;
  await assertRejects(() => accept(shop.backend, id, key, { approved: "maybe" }), InvalidInput, "approved");
  assertEquals(await accept(shop.backend, id, key, { approved: true }), true);
  assertEquals(await shop.client.wait({ id, ...task }), { refunded: true });
  assertEquals(await accept(shop.backend, id, key, { approved: false }), false);
});

Deno.test("recipe approval: a question that nobody has answered in time ends the task with an error", async () => {
  await using shop = new Shop(refund);
  const asked = shop.asked();
  const task = await shop.client.start(refund, { order: "A-1", amount: 500 });
  await shop.backend.answer(task.id, "me", { [await asked]: { action: "expired" } });
  await assertRejects(() => shop.client.wait(task), ToolError, "Nobody decided");
});

Deno.test("recipe subprocess: the lines of a program are the result, and a failure is an error with them", async () => {
  await using shop = new Shop(runProgram);
  const built = await shop.client.start(runProgram, { program: "build" });
  assertEquals(await shop.client.wait(built), { lines: ["compiling", "linking"] });
  const broken = await shop.client.start(runProgram, { program: "broken" });
  await assertRejects(() => shop.client.wait(broken), ToolError, "broken ended with 3: no such file");
});

Deno.test("recipe subprocess: a cancelled task ends its program", async () => {
  await using shop = new Shop(runProgram);
  const said = Promise.withResolvers<void>();
  shop.backend.watch((event) => {
    if (event.kind === "change" && event.task.message === "serving") said.resolve();
  });
  const task = await shop.client.start(runProgram, { program: "serve" });
  await said.promise;
  const { status, work } = await shop.client.cancel(task.id) as { status: string; work?: string };
  assertEquals([status, work], ["CANCELLED", "stopped"]);
});

Deno.test("recipe from mcp-celery: the server offers the job, and a worker runs it", async () => {
  await using shop = new Shop(generateReport);
  await using server = newReportServer(shop.backend);
  assertEquals(server.registry.list().map(({ name, resultTtl }) => [name, resultTtl]), [["generate_report", 300_000]]);
  const task = await shop.client.start(generateReport, { user_id: "1" });
  assertEquals(await shop.client.wait(task), { user_id: "1", revenue: 42_000 });
});

Deno.test("recipe image: the result has a text, a PNG and data", async () => {
  await using shop = new Shop(drawSales);
  const task = await shop.client.start(drawSales, { months: 6 });
  assertEquals(await shop.client.wait(task), { best: 1 });
  const outcome = await shop.backend.outcome(task.id, "me");
  assert(outcome.kind === "value");
  const [text, image] = outcome.content ?? [];
  assert(text?.type === "text" && image?.type === "image");
  assertStringIncludes(text.text, "last 6 months");
  assertEquals(Uint8Array.fromBase64(image.data).subarray(1, 4), new TextEncoder().encode("PNG"));
});

Deno.test("recipe safe retry: a failed mail is sent again, and the customer is charged once", async () => {
  const charges: string[] = [];
  let mails = 0;
  const payments = {
    charge: (_customer: string, _amount: number, key: string) => {
      charges.push(key);
      return Promise.resolve({ receipt: "R-1" });
    },
  };
  const charge = chargeWith(payments, () => ++mails < 2 ? Promise.reject(new Error("busy")) : Promise.resolve());
  const job = { ...charge, policy: { ...charge.policy, backoff: { delay: 0 } } };
  await using shop = new Shop(job);
  const task = await shop.client.start(job, { customer: "ann", amount: 5 });
  assertEquals(await shop.client.wait(task), { receipt: "R-1" });
  assertEquals([charges.length, mails], [1, 2]);
});

Deno.test("recipe safe retry: a refused payment is not tried again", async () => {
  let tries = 0;
  const job = chargeWith({
    charge: () => {
      tries++;
      return Promise.resolve({ refused: "no money" });
    },
  }, () => Promise.resolve());
  await using shop = new Shop(job);
  const task = await shop.client.start(job, { customer: "ann", amount: 5 });
  await assertRejects(() => shop.client.wait(task), ToolError, "no money");
  assertEquals(tries, 1);
});

Deno.test("recipe what failed last night: failures are grouped by their error, and each is repeated once", async () => {
  let away = true;
  const job = defineJob({
    name: "charge",
    input: { type: "object", properties: { card: { type: "string" } }, required: ["card"] },
    run: ({ card }) => {
      if (card === "lost") throw new ToolError("The card is lost.");
      if (away) throw new ToolError("The payment service is away.");
      return "charged";
    },
  });
  await using shop = new Shop(job);
  const { operator } = shop.backend;
  for (const card of ["one", "lost", "two"]) {
    const task = await shop.client.start(job, { card });
    await assertRejects(() => shop.client.wait(task), ToolError);
  }
  away = false;
  const found = await failures(operator, { job: "charge", since: 0 });
  assertEquals([...found].map(([error, { length }]) => [error, length]), [
    ["The payment service is away.", 2],
    ["The card is lost.", 1],
  ]);
  const tasks = found.get("The payment service is away.") ?? [];
  const again = await repeat(operator, tasks, "morning");
  for (const task of again) assertEquals(await shop.client.wait(task), "charged");
  assertEquals(await repeat(operator, tasks, "morning"), await Promise.all(again.map(({ id }) => operator.get(id))));
  assertEquals(again.map(({ retryOf }) => retryOf), tasks.map(({ id }) => id));
});

Deno.test("recipe schedule: both schedules create their tasks", async () => {
  using time = new FakeTime(Date.parse("2026-11-30T01:59:00Z")); // Monday, 2:59 in Berlin
  const backend = new MemoryBackend();
  await using server = await newServer(backend);
  await server.fetch(new Request("http://localhost/healthz"));
  for (let minute = 0; minute < 21; minute++) await time.tickAsync(60_000);
  await time.runMicrotasks();
  const { tasks } = await backend.list("local", { limit: 10 });
  const inputs = await Promise.all(tasks.map(({ id }) => backend.operator.input(id)));
  assertEquals(inputs, [{ region: "us" }, { region: "us" }, { region: "eu" }]);
  const schedules = await backend.operator.schedules();
  assertEquals(schedules?.map(({ name }) => name), ["count_at_night", "count_often"]);
});

Deno.test("recipe limit: the service is asked twice at once at most, by two workers", async () => {
  let [now, most] = [0, 0];
  const job = translateWith(async (text, language) => {
    most = Math.max(most, ++now);
    await pause(5);
    now--;
    return `${text} in ${language}`;
  });
  await using shop = new Shop(job);
  createWorker(shop.backend, [job]);
  const tasks = await Promise.all(
    Array.from({ length: 8 }, (_, index) => shop.client.start(job, { text: `${index}`, language: "fr" })),
  );
  const results = await Promise.all(tasks.map((task) => shop.client.wait(task)));
  assertEquals(results.map(({ text }) => text), tasks.map((_, index) => `${index} in fr`));
  assertEquals(most, 2);
});
