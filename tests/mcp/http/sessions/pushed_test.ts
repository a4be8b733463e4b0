import { MemoryBackend, type TaskInfo } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Raw } from "../support/raw.ts";

/** A backend whose next read can be delayed. */
class SlowBackend extends MemoryBackend {
  readonly followed = Promise.withResolvers<void>();
  hold: { readonly read: () => void; readonly released: Promise<void> } | undefined;

  override async get(id: string, owner: string): Promise<TaskInfo> {
    const { hold } = this;
    this.hold = undefined;
    const task = await super.get(id, owner);
    this.followed.resolve(); // Following a task begins with a read.
    hold?.read();
    await hold?.released;
    return task;
  }
}

Deno.test("the end of a task that comes during tasks/get is pushed once", async () => {
  await using backend = new SlowBackend();
  await using server = fixtureServer("operation", backend);
  const raw = await Raw.open(server.fetch);
  await using listening = await raw.listen();
  const taskId = await raw.start("hold", { gate: "pushed" });
  await backend.followed.promise;
  const [read, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  backend.hold = { read: read.resolve, released: released.promise };
  const answer = raw.ask("tasks/get", { taskId });
  await read.promise;
  await raw.ask("tasks/cancel", { taskId });
  const pushed = [(await listening.message()).params];
  released.resolve();
  assertEquals((await answer).result.status, "working");
  // A second push would come before the end of a later task.
  const later = await raw.start("hold", { gate: "pushed" });
  await raw.ask("tasks/cancel", { taskId: later });
  while (pushed.at(-1)?.taskId !== later) pushed.push((await listening.message()).params);
  assertEquals(pushed.map(({ taskId, status }) => [taskId, status]), [[taskId, "cancelled"], [later, "cancelled"]]);
});
