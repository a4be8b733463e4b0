import { CallProgress } from "../../../src/mcp/tools/call_progress.ts";
import type { TaskInfo } from "../../../src/task.ts";
import { assert, assertEquals } from "../../../tools/std.ts";

const task: TaskInfo = {
  id: "0199c1f4-7a51-7000-8d0b-2f6a3c4e5b6d",
  job: "report",
  owner: "me",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: 0,
  updatedAt: 0,
  resultTtl: 1_000,
};

/** Collects notifications, and resolves once there are so many. */
class Client {
  readonly notifications: { readonly [key: string]: unknown }[] = [];
  #wanted: { readonly length: number; readonly resolve: () => void } | undefined;

  readonly notify = (params: { readonly [key: string]: unknown }) => {
    this.notifications.push(params);
    if (this.#wanted && this.notifications.length >= this.#wanted.length) this.#wanted.resolve();
  };

  received(length: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = { length, resolve };
    if (this.notifications.length >= length) resolve();
    return promise;
  }
}

Deno.test("the client of a silent job gets its progress again and again, with a value that grows", async () => {
  const client = new Client();
  using _progress = new CallProgress("token", client.notify, 5);
  await client.received(3);
  const values = client.notifications.map(({ progress }) => Number(progress));
  assert(values.every((value, index) => value > (values[index - 1] ?? 0) && value < 0.001));
  assertEquals(new Set(client.notifications.map(({ message }) => message)), new Set(["Waiting to start."]));
});

Deno.test("the last report of a job is repeated while there is no new one", async () => {
  const client = new Client();
  using progress = new CallProgress("token", client.notify, 5);
  progress.report({ ...task, progress: 0.5, message: "halfway" });
  await client.received(2);
  assertEquals(
    client.notifications.map(({ progress, message }) => [Number(progress).toFixed(3), message]).slice(0, 2),
    [
      ["0.500", "halfway"],
      ["0.500", "halfway"],
    ],
  );
});

Deno.test("a change that leaves progress and message as they were, such as a line in the log, is not reported", () => {
  const client = new Client();
  using progress = new CallProgress("token", client.notify, 60_000);
  const halfway = { ...task, progress: 0.5, message: "halfway" };
  for (const one of [halfway, { ...halfway, revision: 3 }, { ...halfway, message: "nearly" }]) progress.report(one);
  assertEquals(client.notifications.map(({ message }) => message), ["halfway", "nearly"]);
});

Deno.test("a job that runs without a report is reported as running", async () => {
  const client = new Client();
  using progress = new CallProgress("token", client.notify, 5);
  progress.report(task);
  await client.received(1);
  assertEquals(client.notifications[0]?.message, "Running.");
});
