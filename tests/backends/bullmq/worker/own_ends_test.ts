import { Redis } from "ioredis";
import { BullMqBackend, createWorker, defineJob } from "../../../../mod.ts";
import { closeForGood } from "../../../../src/backends/bullmq/internals.ts";
import { isFinished } from "../../../../src/task.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { newTask } from "../../../support/tasks.ts";
import { testUnless } from "../../../support/test_unless.ts";

const job = defineJob({
  name: "job",
  input: { type: "object" },
  run: ({ fails }: { readonly fails?: boolean }) => {
    if (fails) throw new Error("no");
    return "done";
  },
});

for (const fails of [false, true]) {
  const name = `bullmq: a task that ${
    fails ? "fails" : "completes"
  } in its server is read right behind its end, on the same connection`;
  testUnless(noRedis, name, async () => {
    await using redis = await openRedis();
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix: `test-${crypto.randomUUID()}` });
    await using worker = createWorker(backend, [job], { onError: ignored });
    await worker.ready;
    const subscribed = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<unknown>();
    backend.watch((event) => {
      if (event.kind === "gap") subscribed.resolve();
      else if (isFinished(event.task)) ended.resolve(event.outcome);
    });
    await subscribed.promise;
    const admin = new Redis(redis.url);
    const monitor = await admin.monitor();
    try {
      const task = newTask({ input: { fails } });
      const last = Promise.withResolvers<void>();
      const commands: { readonly source: string; readonly what: "end" | "read" }[] = [];
      monitor.on("monitor", (_time, args: string[], source: string) => {
        if (args.includes("over")) return last.resolve();
        if (source === "lua" || !args.includes(task.id)) return;
        if (args.includes("completed") || args.includes("failed")) commands.push({ source, what: "end" });
        if (args.slice(-3).join() === `${task.id},,1`) commands.push({ source, what: "read" });
      });
      await backend.create(task);
      const outcome = fails ? { kind: "tool_error", message: "no" } : { kind: "value", value: "done" };
      assertEquals(await ended.promise, outcome);
      await worker.close();
      await admin.echo("over");
      await last.promise;
      // On a slow machine it is also read while it runs.
      const end = commands.findIndex(({ what }) => what === "end");
      const same = commands.slice(end).filter(({ source }) => source === commands[end]?.source);
      assertEquals(same.map(({ what }) => what), ["end", "read"]);
    } finally {
      await Promise.all([monitor, admin].map(closeForGood));
    }
  });
}
