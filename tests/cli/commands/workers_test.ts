import { assertEquals } from "../../../tools/std.ts";
import { Shop } from "../support/shop.ts";

Deno.test("workers says that none of mcp-jobs is alive, since a BullMQ queue may have others", async () => {
  await using shop = new Shop({ works: false });
  assertEquals((await shop.run("workers")).stderr, "No worker of mcp-jobs is alive.\n");
});

Deno.test("workers lists who is alive", async () => {
  await using shop = new Shop();
  const [worker] = JSON.parse((await shop.run("workers --json")).stdout);
  assertEquals([worker.pid, worker.jobs], [Deno.pid, ["add", "refuse", "talk", "shout", "endless"]]);
});
