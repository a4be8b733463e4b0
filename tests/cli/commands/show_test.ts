import { z } from "zod";
import { BackendError, content, createWorker, defineJob, image, text } from "../../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes, FakeTime } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { add, endless, refuse, Shop, talk } from "../support/shop.ts";

Deno.test("show prints a task with its input, and with its result or its error", async () => {
  await using shop = new Shop();
  const sum = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(sum);
  const { stdout } = await shop.run(`show ${sum.id}`);
  assertStringIncludes(stdout, "status        COMPLETED");
  assertStringIncludes(stdout, '"b": 2');
  assertStringIncludes(stdout, "result:\n3");
  const bad = await shop.client.start(refuse, {});
  await shop.client.wait(bad).catch(() => {});
  assertStringIncludes((await shop.run(`show ${bad.id}`)).stdout, "tool error:\nThe card was\ndeclined.");
  assertEquals(JSON.parse((await shop.run(`show ${sum.id} --json`)).stdout).outcome, { kind: "value", value: 3 });
  const none = await shop.client.start(talk, {});
  await shop.client.wait(none);
  assertStringIncludes((await shop.run(`show ${none.id}`)).stdout, "result:\nnull");
});

Deno.test("show names the worker that runs a task, which may have to be restarted, and none once it has ended", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(endless, {});
  await until(async () => (await shop.client.get(id)).status === "RUNNING", "it runs");
  const [worker] = await shop.operator.workers();
  assertMatch((await shop.run(`show ${id}`)).stdout, new RegExp(`^worker +${Deno.pid} on ${worker?.host}$`, "m"));
  assertEquals(JSON.parse((await shop.run(`show ${id} --json`)).stdout).worker, worker?.name);
  await shop.client.cancel(id);
  assertEquals((await shop.run(`show ${id}`)).stdout.includes("worker "), false);
});

Deno.test("show says that no worker which is alive runs a task", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(endless, {});
  await until(async () => (await shop.client.get(id)).status === "RUNNING", "it runs");
  Object.assign(shop.operator, { workers: () => Promise.resolve([]) });
  assertMatch((await shop.run(`show ${id}`)).stdout, /^worker +none of mcp-jobs that is alive$/m);
});

Deno.test("show says what a task waits for, in the words that clients get", async () => {
  using time = new FakeTime();
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  time.tick(60_000);
  assertMatch((await shop.run(`show ${id}`)).stdout, /^message +Waiting: no worker for add is running/m);
  assertMatch(
    JSON.parse((await shop.run(`show ${id} --json`)).stdout).message,
    /^Waiting: no worker for add is running/,
  );
});

Deno.test("an unknown task is an error on stderr, and the exit code is 1", async () => {
  await using shop = new Shop();
  const { code, stdout, stderr } = await shop.run("show nothing");
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, 'mcp-jobs show: Cannot find task "nothing"');
  Object.assign(shop.operator, { get: () => Promise.reject(new BackendError("The store\nis \x9b2J away.")) });
  assertEquals((await shop.run("show nothing")).stderr, "mcp-jobs show: The store\\u000ais \\u009b2J away.\n");
});

Deno.test("show has a line for all that is known of a task, and the size of a picture instead of its bytes", async () => {
  await using shop = new Shop({ works: false });
  const draw = defineJob({
    name: "draw",
    input: z.object({}),
    run: async (_, { progress }) => {
      await progress(0.5);
      return content([text("A chart"), image(new Uint8Array(3), "image/png")]);
    },
  });
  const namesOf = (stdout: string) => stdout.split("\n\n")[0]?.split("\n").map((line) => line.split(/ {2,}/)[0]) ?? [];
  const first = await shop.client.start(draw, {}, { startAt: new Date(Date.now() + 3_600_000) });
  const waiting = ["id", "job", "owner", "status", "attempt", "message", "created", "last change", "due"];
  assertEquals(namesOf((await shop.run(`show ${first.id}`)).stdout), waiting);
  await shop.client.cancel(first.id);
  const cancelled = (await shop.run(`show ${first.id}`)).stdout;
  assertMatch(cancelled, /^code +never started$/m);
  assertEquals(namesOf(cancelled).slice(-3), ["finished", "kept until", "code"]);
  const { id: second } = JSON.parse((await shop.run(`retry ${first.id} --json`)).stdout);
  createWorker(shop, [draw]);
  await shop.client.wait(second);
  const { stdout } = await shop.run(`show ${second}`);
  assertMatch(stdout, new RegExp(`^progress +100%$[^]*^retry of +${first.id}$`, "m"));
  assertMatch(
    stdout,
    /^result:\nA chart\n\{\n {2}"type": "image",\n {2}"base64Characters": 4,\n {2}"mimeType": "image\/png"\n\}$/m,
  );
});
