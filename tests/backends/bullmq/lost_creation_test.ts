import { BullMqBackend } from "../../../mod.ts";
import { CONDITION_FAILED } from "../../../src/backends/bullmq/redis/scripts/create.ts";
import { newTaskId } from "../../../src/ids.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";
import { LossyNetwork } from "../support/lossy_network.ts";

testUnless(
  noRedis,
  "bullmq: a task that is stored, and whose creation is sent again, is not refused although the key of its `unless` has a text by then",
  async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    let filled: Promise<boolean> | undefined;
    await using network = new LossyNetwork(redis.url, 1, (request, answer) => {
      const isStored = request.includes(CONDITION_FAILED) && !answer.includes("NOSCRIPT");
      if (isStored) filled = backend.keys.writeKey("ann", "full", undefined, "a text");
      return isStored;
    });
    await using behind = await BullMqBackend.connect({ redis: network.url, prefix });
    const task = newTask({ id: newTaskId(), owner: "ann", unless: "full" });
    assertEquals((await behind.create(task)).id, task.id);
    assertEquals(await filled, true);
  },
);
