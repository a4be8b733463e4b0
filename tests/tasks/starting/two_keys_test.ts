/**
 * Starts of a unique job with a key of their own, in two servers at once, on every backend: both keys hold.
 *
 * @module
 */
import {
  type Backend,
  BullMqBackend,
  createWorker,
  defineJob,
  DenoKvBackend,
  MemoryBackend,
  PostgresBackend,
  ToolError,
} from "../../../mod.ts";
import { InvalidInput, TaskExpired } from "../../../src/errors.ts";
import { ToolRegistry } from "../../../src/registry.ts";
import { isTerminal } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const OWNER = "user:ann";

const charge = defineJob({
  name: "charge",
  input: { type: "object", properties: { order: { type: "string" }, fails: { type: "boolean" } } } as const,
  attempts: 1,
  unique: true,
  run: ({ fails }) => {
    if (fails) throw new ToolError("The card was declined.");
  },
});

const registered = new ToolRegistry().register(charge);

interface Input {
  readonly order: string;
  readonly fails?: boolean;
}

/** A start that stands still just before its task is stored, as in a server that dies or is slow. */
interface Halted {
  /** Resolves once it stands still. */
  readonly reached: Promise<void>;
  readonly id: Promise<string>;
  goOn(): void;
}

/** A server, and what its clients start. */
class Server implements AsyncDisposable {
  readonly #tasks: Tasks;
  #halt: (() => Promise<void>) | undefined;

  constructor(readonly backend: Backend) {
    const create: Backend["create"] = (task, admit) => {
      const halt = this.#halt;
      this.#halt = undefined;
      return backend.create(task, async () => {
        await admit?.();
        await halt?.();
      });
    };
    const halting = new Proxy(backend, {
      get: (_, name) => {
        const value = name === "create" ? create : Reflect.get(backend, name);
        return typeof value === "function" ? value.bind(backend) : value;
      },
    });
    this.#tasks = new Tasks(halting);
  }

  /** Starts the job. Resolves with the id of the task. */
  async start(input: Input, idempotencyKey?: string, ttl?: number): Promise<string> {
    return (await this.#tasks.start(registered, { ...input }, OWNER, { idempotencyKey, ttl })).id;
  }

  halted(input: Input, key?: string): Halted {
    const [reached, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    this.#halt = () => {
      reached.resolve();
      return gone.promise;
    };
    return { reached: reached.promise, id: this.start(input, key), goOn: gone.resolve };
  }

  async count(): Promise<number> {
    return (await this.backend.list(OWNER, { limit: 1_000 })).tasks.length;
  }

  /** Runs what is to be run. */
  async run(): Promise<void> {
    await using worker = createWorker(this.backend, [charge]);
    await worker.ready;
    await until(async () => {
      const { tasks } = await this.backend.list(OWNER, { limit: 1_000 });
      return tasks.every(({ status }) => isTerminal(status));
    }, "all tasks have ended");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tasks.allClosed();
    this.#tasks[Symbol.dispose]();
    await this.backend.close();
  }
}

const ROUNDS = 5;

async function exercise(t: Deno.TestContext, connect: () => Promise<Backend>): Promise<void> {
  await using one = new Server(await connect());
  await using two = new Server(await connect());

  await t.step("starts at the same moment with a key, with another one and without any receive one task", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const order = `at once ${round}`;
      const keys = [`a ${order}`, undefined, `b ${order}`];
      const starts = () => [one, two].flatMap((server) => keys.map((key) => server.start({ order }, key)));
      const ids = new Set([...await Promise.all(starts()), ...await Promise.all(starts())]);
      assertEquals([ids.size, await one.count()], [1, round + 1]);
    }
    await one.run();
  });

  await t.step(
    "of starts at the same moment with one key and two inputs, one is stored, and the other refused",
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const before = await one.count();
        const start = (server: Server, order: string) =>
          server.start({ order: `${order} ${round}` }, `two inputs ${round}`);
        const made = await Promise.allSettled([start(one, "x"), start(two, "y"), start(one, "y"), start(two, "x")]);
        const refused = made.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
        assertEquals(refused.map((error) => error instanceof InvalidInput), [true, true], String(refused));
        assertEquals(await one.count(), before + 1);
      }
      await one.run();
    },
  );

  await t.step("a key finds its task after that has ended, also while unique finds another one", async () => {
    const first = await one.start({ order: "again" }, "again");
    await one.run();
    const second = await two.start({ order: "again" });
    assert(second !== first);
    assertEquals(await one.start({ order: "again" }, "again"), first);
    assertEquals(await one.start({ order: "again" }, "another"), second);
    await one.run();
    assertEquals([await two.start({ order: "again" }, "again"), await two.start({ order: "again" }, "another")], [
      first,
      second,
    ]);
  });

  await t.step("a key whose task has failed finds the task that unique finds", async () => {
    const input = { order: "fails", fails: true };
    const first = await one.start(input, "failed");
    await one.run();
    const second = await two.start(input);
    assert(second !== first);
    assertEquals(await one.start(input, "failed"), second);
    await one.run();
    const third = await one.start(input, "failed");
    assertEquals([third === first, third === second, await two.start(input)], [false, false, third]);
    await one.run();
  });

  await t.step("a key whose result has expired is free, also for another input", async () => {
    const first = await one.start({ order: "short" }, "short", 1);
    await one.run();
    await until(
      () => one.backend.get(first, OWNER).then(() => false, (error) => error instanceof TaskExpired),
      "it has expired",
    );
    const second = await two.start({ order: "short, too" }, "short");
    assert(second !== first);
    assertEquals(await one.start({ order: "short, too" }, "short"), second);
    await one.run();
  });

  await t.step(
    "a server that dies before it stores the task leaves its keys to the same start, and refuses another input",
    async () => {
      const before = await two.count();
      const { reached } = one.halted({ order: "dies" }, "dies");
      await reached;
      await assertRejects(() => two.start({ order: "lives" }, "dies"), InvalidInput, "idempotency key");
      assertEquals(await two.count(), before);
      const id = await two.start({ order: "dies" }, "dies");
      assertEquals([await two.start({ order: "dies" }), await two.count()], [id, before + 1]);
      await two.run();
      assertEquals(await two.start({ order: "dies" }, "dies"), id);
    },
  );

  await t.step(
    "a server that is slower than another one to store the task stores none, even if that task has ended",
    async () => {
      const before = await two.count();
      const slow = one.halted({ order: "slow" }, "slow");
      await slow.reached;
      const id = await two.start({ order: "slow" }, "slow");
      await two.run();
      slow.goOn();
      assertEquals([await slow.id, await two.count()], [id, before + 1]);
    },
  );
}

Deno.test("two keys in memory", async (t) => {
  const backend = new MemoryBackend();
  await exercise(t, () => Promise.resolve(backend));
});

Deno.test("two keys on Deno KV", async (t) => {
  await using folder = await TempFolder.make();
  await exercise(t, () => DenoKvBackend.open({ path: `${folder.path}/jobs.kv` }));
});

testUnless(noRedis, "two keys on Redis", async (t) => {
  await using redis = await openRedis();
  const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
  await exercise(t, () => BullMqBackend.connect({ redis: redis.url, prefix }));
});

testUnless(noPostgres, "two keys on PostgreSQL", async (t) => {
  const url = await emptyTables();
  await exercise(t, () => PostgresBackend.connect({ url }));
});
