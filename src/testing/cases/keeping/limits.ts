/**
 * Cases: the limits of a job hold over all workers.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { type Cases, eventually, type Stage, whereWorkersDie } from "../../stage.ts";

/** How many runs are under way, and the most that ever were. */
class Runs {
  now = 0;
  most = 0;
  readonly begun: number[] = [];
  readonly #open = Promise.withResolvers<void>();

  /** The code of a job that runs until the gate is open. */
  readonly gated = async () => {
    this.begin();
    await this.#open.promise;
    this.end();
  };

  open(): void {
    this.#open.resolve();
  }

  begin(): void {
    this.begun.push(performance.now());
    this.most = Math.max(this.most, ++this.now);
  }

  end(): void {
    this.now--;
  }
}

async function createMany(stage: Stage, job: string, count: number) {
  return await Promise.all(Array.from({ length: count }, () => stage.create({ job })));
}

export const limits: Cases = {
  "two workers together keep the concurrency limit of a job, and run all its tasks": async (stage) => {
    const runs = new Runs();
    const second = await stage.connect();
    const busy = async () => {
      runs.begin();
      await new Promise((resolve) => setTimeout(resolve, 5));
      runs.end();
    };
    const tasks = await createMany(stage, "few", 20);
    for (const backend of [stage.backend, second]) {
      await stage.work({ few: busy }, { backend, limits: { concurrency: 2 } });
    }
    for (const task of tasks) strictEqual((await stage.finished(task)).status, "COMPLETED");
    strictEqual(runs.begun.length, 20);
    strictEqual(runs.most, 2);
  },

  "a job whose slots are taken holds up no other job of the same worker": async (stage) => {
    const few = new Runs();
    await createMany(stage, "few", 5);
    await stage.work({ few: few.gated, many: () => 1 }, { limitsOf: { few: { concurrency: 1 } } });
    await eventually("one runs", () => few.now === 1);
    for (const task of await createMany(stage, "many", 10)) await stage.finished(task);
    strictEqual(few.begun.length, 1);
    few.open();
  },

  "a parked task holds no slot": async (stage) => {
    const parked = await stage.create({ job: "asks" });
    await stage.work(
      { asks: async (_, { elicit, id }) => id === parked.id ? await elicit({ message: "?", schema: NAME }) : 1 },
      { limits: { concurrency: 1 }, parkAfter: 0 },
    );
    await stage.parked(parked);
    await stage.finished(await stage.create({ job: "asks" }));
  },

  "a worker that is killed frees its slots": whereWorkersDie(async (stage) => {
    const held = await stage.create({ job: "limited" });
    const doomed = await stage.startDoomedWorker("limited");
    await stage.running(held);
    await stage.work({ limited: () => 1, other: () => 1 }, { limitsOf: { limited: { concurrency: 1 } } });
    const waiting = await stage.create({ job: "limited" });
    await stage.finished(await stage.create({ job: "other" }));
    // Where the machine stands still, the doomed worker can lose its task, too: then its slot is free.
    const { status, attempt } = stage.events(held).at(-1) ?? held;
    const isHeld = status === "RUNNING" && attempt === 1;
    if (isHeld) deepStrictEqual(stage.events(waiting).map(({ status }) => status), ["PENDING"]);
    await doomed.kill();
    for (const task of [held, waiting]) strictEqual((await stage.finished(task)).status, "COMPLETED");
  }),

  "two workers together keep the rate limit of a job, and run the other tasks later": async (
    stage,
  ) => {
    const [max, per] = [3, 400];
    const runs = new Runs();
    const second = await stage.connect();
    const tasks = await createMany(stage, "slow", 7);
    const limits = { rateLimit: { max, per } };
    for (const backend of [stage.backend, second]) await stage.work({ slow: runs.gated }, { backend, limits });
    // By the store's clock, because a run begins a moment after its claim. They run until each was seen to run: of a task
    // that ends at once, only the end may be told.
    const running = await Promise.all(tasks.map((task) => stage.running(task)));
    runs.open();
    for (const task of tasks) await stage.finished(task);
    const begun = running.map(({ updatedAt }) => updatedAt).sort((a, b) => a - b);
    deepStrictEqual(begun.length, 7);
    // A window begins with its first run. On a slow machine it need not be full.
    let [since, count] = [-Infinity, 0];
    for (const at of begun) {
      [since, count] = at - since >= per - 1 ? [at, 1] : [since, count + 1];
      ok(count <= max, `${begun.map((one) => one - (begun[0] ?? 0))}`);
    }
  },
};

const NAME = { type: "object", properties: { name: { type: "string" } } };
