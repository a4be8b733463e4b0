import type { Backend, TaskKey } from "../../../backend.ts";
import { BackendError, MemoryBackend, type TaskInfo } from "../../../mod.ts";
import { idNamedBy, textNaming } from "../../../src/contract/task_key.ts";
import { InvalidInput } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import { CallersKeys } from "../../../src/tasks/starting/two_keys.ts";
import { newTask } from "../../support/tasks.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const OWNER = "ann";
const KEY = { name: "call:pay:1", window: Infinity, fingerprint: "of 7 EUR" };
const OTHER_INPUT = { ...KEY, fingerprint: "of 8 EUR" };

/** A store, and starts with a caller's key that names a task. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly now = Date.now();

  store(id: string): Promise<TaskInfo> {
    return this.backend.create(newTask({ id, owner: OWNER }));
  }

  /** The caller's key comes to name a task, as by a start that has gone no further. */
  async named(id: string): Promise<void> {
    assertEquals(await this.backend.keys.writeKey(OWNER, KEY.name, undefined, textNaming(id, KEY)), true);
  }

  /** Which task the key names. */
  async namedTask(): Promise<string> {
    return idNamedBy(await this.backend.keys.readKey(OWNER, KEY.name) ?? "");
  }

  /** A start; `before`: what happens just before it claims the key. Resolves with the id of its task. */
  async start(
    { id = newTaskId(), key = KEY, get = this.backend.get.bind(this.backend), before }: {
      readonly id?: string;
      readonly key?: TaskKey;
      readonly get?: Backend["get"];
      readonly before?: () => Promise<unknown>;
    },
  ): Promise<string> {
    const keys = new CallersKeys({ get, keys: this.backend.keys }, () => this.now);
    const task = await keys.create({ id, owner: OWNER }, key, async (claim) => {
      await before?.();
      await claim();
      return await this.store(id);
    });
    return task.id;
  }

  async tasks(): Promise<readonly string[]> {
    return (await this.backend.list(OWNER, { limit: 10 })).tasks.map(({ id }) => id);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.backend.close();
  }
}

Deno.test("a start whose key names a task that is stored at the last moment gets that task, and stores none", async () => {
  await using stage = new Stage();
  const first = newTaskId();
  await stage.named(first);
  let stored: Promise<unknown> | undefined;
  assertEquals(await stage.start({ before: () => stored ??= stage.store(first) }), first);
  assertEquals([await stage.tasks(), await stage.namedTask()], [[first], first]);
});

Deno.test("a start that cannot read whether its key has a task stores none, and the key goes on naming the one that it named", async () => {
  await using stage = new Stage();
  const first = newTaskId();
  await stage.named(first);
  const get = () => Promise.reject(new BackendError("The store is away."));
  await assertRejects(() => stage.start({ get }), BackendError, "The store is away.");
  assertEquals([await stage.tasks(), await stage.namedTask()], [[], first]);
});

Deno.test("a start that fails on its way is not begun again", async () => {
  await using stage = new Stage();
  let tries = 0;
  const before = () => Promise.reject(tries++ === 0 ? new BackendError("The store is away.") : new Error("again"));
  await assertRejects(() => stage.start({ before }), BackendError, "The store is away.");
});

Deno.test("a key whose task was never stored belongs to its input at first, and later to any", async () => {
  await using stage = new Stage();
  await stage.named(newTaskId());
  await assertRejects(() => stage.start({ key: OTHER_INPUT }), InvalidInput, "was used before with another input");
  const id = newTaskId();
  await stage.start({ id });
  assertEquals(await stage.namedTask(), id);

  await using later = new Stage();
  await later.named("018cc251-f400-7000-8000-000000000000"); // Of 2024.
  await later.start({ id, key: OTHER_INPUT });
  assertEquals(await later.namedTask(), id);
});
