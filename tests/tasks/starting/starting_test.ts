/**
 * How a call comes to its task: it takes over one that is left, or stores a new one, with one write where nothing is left.
 *
 * @module
 */
import { type Backend, defineJob, MemoryBackend } from "../../../mod.ts";
import type { NewTask } from "../../../backend.ts";
import { LimitExceeded } from "../../../src/errors.ts";
import { ToolRegistry } from "../../../src/registry.ts";
import type { GuardOptions } from "../../../src/tasks/guard.ts";
import { listOf } from "../../../src/tasks/starting/task_keys.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const echo = defineJob({ name: "echo", input: { type: "object" } });
const registered = new ToolRegistry().register(echo);
const LIST = listOf(registered, {}, "me");

/** A store that notes what is asked of it, and its servers. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  /** The creations, by their `unless`, and the reads of the list. */
  readonly asked: string[] = [];
  readonly #servers = new DisposableStack();

  /** A server with an own view of what is in the store. */
  server(options: GuardOptions = {}): Tasks {
    const { backend, asked } = this;
    const keys: Backend["keys"] = {
      readKey: (owner, key) => {
        asked.push("read");
        return backend.keys.readKey(owner, key);
      },
      writeKey: (...change) => backend.keys.writeKey(...change),
    };
    const create = (task: NewTask, admit?: () => Promise<void>) => {
      asked.push(task.unless === undefined ? "create" : "create unless");
      return backend.create(task, admit);
    };
    const noted = new Proxy<Backend>(backend, {
      get: (_, name) => {
        if (name === "keys") return keys;
        if (name === "create") return create;
        const value = Reflect.get(backend, name);
        return typeof value === "function" ? value.bind(backend) : value;
      },
    });
    return this.#servers.use(new Tasks(noted, Date.now, options));
  }

  /** A call. */
  start(server: Tasks): Promise<string> {
    const caller = server.caller(registered, "me", {});
    return server.start(registered, {}, "me", { adopt: true, caller }).then(({ id }) => id);
  }

  /** A call whose client gives up. */
  async abandoned(server: Tasks): Promise<string> {
    const caller = server.caller(registered, "me", {});
    const begun = server.start(registered, {}, "me", { adopt: true, caller });
    await begun;
    await caller.abandon(begun);
    return (await begun).id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#servers.dispose();
    await this.backend.close();
  }
}

Deno.test("a call for which no task is left stores its task with one write, and reads no list", async () => {
  await using stage = new Stage();
  const server = stage.server();
  const started = [await stage.start(server), await stage.start(server)];
  assertEquals(new Set(started).size, 2);
  assertEquals(stage.asked, ["create unless", "create unless"]);
});

Deno.test("a call takes over a task that another server has left, of which its own server knew nothing", async () => {
  await using stage = new Stage();
  const [one, two] = [stage.server(), stage.server()];
  const left = await stage.abandoned(one);
  stage.asked.length = 0;
  assertEquals(await stage.start(two), left);
  assertEquals(stage.asked.slice(0, 2), ["create unless", "read"]);
  assertEquals(stage.asked.includes("create"), false);
  stage.asked.length = 0;
  await stage.start(two);
  assertEquals(stage.asked, ["create unless"]);
});

Deno.test("a server that knows of a task in the list reads the list first", async () => {
  await using stage = new Stage();
  const server = stage.server();
  const left = await stage.abandoned(server);
  stage.asked.length = 0;
  assertEquals(await stage.start(server), left);
  assertEquals(new Set(stage.asked), new Set(["read"]));
});

Deno.test("a list whose tasks are not free is read before each call, and does not keep it from its own task", async () => {
  await using stage = new Stage();
  const server = stage.server();
  const over = `${await stage.start(server)}~1`; // Its time is over.
  await stage.backend.keys.writeKey(LIST.owner, LIST.key, undefined, over);
  stage.asked.length = 0;
  const started = [await stage.start(server), await stage.start(server)];
  assertEquals(new Set(started).size, 2);
  assertEquals(stage.asked, ["create unless", "read", "create", "read", "create"]);
});

Deno.test("an owner with as many open tasks as allowed takes over a task of which the server knew nothing, and gets no new one", async () => {
  await using stage = new Stage();
  const left = await stage.abandoned(stage.server());
  const server = stage.server({ limits: { openTasks: 1 } });
  assertEquals(await stage.start(server), left);
  await assertRejects(() => stage.start(server), LimitExceeded, "1 of yours are not finished");
});

Deno.test("a call that has found the unique task of another server leaves it to that one's caller", async () => {
  await using stage = new Stage();
  const unique = new ToolRegistry().register(echo, { unique: true });
  const call = async (server: Tasks) => {
    const caller = server.caller(unique, "me", {});
    const task = await server.start(unique, {}, "me", { adopt: true, caller });
    caller.wait(task);
    return { id: task.id, caller };
  };
  const [first, second] = [await call(stage.server()), await call(stage.server())];
  assertEquals(second.id, first.id);
  assertEquals([await second.caller.leaveToOthers(), await first.caller.leaveToOthers()], [true, false]);
});

Deno.test("a job that is unique is not so where its registration says otherwise", async () => {
  await using stage = new Stage();
  const server = stage.server();
  const job = defineJob({ name: "echo", input: { type: "object" }, unique: true });
  for (const [options, tasks] of [[{}, 1], [{ unique: false }, 2]] as const) {
    const registered = new ToolRegistry().register(job, options);
    const started = [await server.start(registered, {}, "ann"), await server.start(registered, {}, "ann")];
    assertEquals(new Set(started.map(({ id }) => id)).size, tasks);
  }
});
