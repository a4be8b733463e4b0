import { z } from "zod";
import { type AuditEvent, defineJob, type Job, type JobContext, MemoryBackend } from "../../../mod.ts";
import { ToolRegistry } from "../../../strategy.ts";
import { type Answer, openQuestions, type TaskInfo } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { createWorker } from "../../../src/worker.ts";
import { pause } from "../../../src/waiting.ts";
import { assert, assertEquals } from "../../../tools/std.ts";

const NO: Answer = { action: "decline" };
const IGNORED = "The answer was ignored: the question is not open, as it was answered before, or its time is over.";

const question = { message: "Sure?", schema: z.object({}) };

function jobThat(ask: (ctx: JobContext) => Promise<unknown>): Job {
  return defineJob({ name: "ask", input: { type: "object" }, parkAfter: 0, run: (_, ctx) => ask(ctx) }) as Job;
}

/** Two servers and a worker on one backend. The audit log of each is its own. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly logs: readonly AuditEvent[][];
  readonly servers: readonly Tasks[];
  /** Resolves once a log has that a question has expired. */
  readonly expired: Promise<void>;
  readonly #registered;
  readonly #worker;

  /** `audited`: which of the servers has somebody who reads its audit log. */
  constructor(job: Job, audited = [true, true]) {
    this.#registered = new ToolRegistry().register(job);
    this.logs = audited.map(() => []);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.expired = promise;
    this.servers = this.logs.map((log, index) => {
      const audit = (event: AuditEvent) => {
        log.push(event);
        if (event.event === "expired") resolve();
      };
      return new Tasks(this.backend, Date.now, { audit, isAudited: () => audited[index] === true });
    });
    this.#worker = createWorker(this.backend, [job]);
  }

  /** Starts a task, and resolves with it once it is like this. */
  async start(holds: (task: TaskInfo) => boolean): Promise<TaskInfo> {
    const [first] = this.servers;
    assert(first);
    const task = await first.start(this.#registered, {}, "ann");
    const there = Promise.withResolvers<TaskInfo>();
    const stop = first.follow(task, (now) => holds(now) && there.resolve(now));
    return await there.promise.finally(stop);
  }

  /** What the logs say of answers, sorted. */
  get recorded(): readonly (readonly unknown[])[] {
    const events = this.logs.flat().filter(({ operation }) => operation === "answer");
    const all = events.map(({ event, principal, job, question, action, answeredBy, reason }) => {
      return [event, principal, job, question, action ?? reason, answeredBy].filter((one) => one !== undefined);
    });
    return all.sort((one, other) => String(one[0]).localeCompare(String(other[0])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
    for (const server of this.servers) server[Symbol.dispose]();
    await this.backend.close();
  }
}

Deno.test("of two answers to a question at the same moment, the audit log has one as the answer, and one as ignored", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit(question)));
  const { id } = await stage.start((task) => openQuestions(task).length > 0);
  const answers = stage.servers.map((tasks) => {
    return tasks.answer(id, "ann", (task) => Object.fromEntries(openQuestions(task).map(({ key }) => [key, NO])));
  });
  const [first] = await Promise.all(answers);
  assert(first);
  const [recorded, other] = stage.recorded;
  assertEquals([recorded?.toSpliced(3, 1), other], [
    ["answered", "ann", "ask", "decline", "person"],
    ["refused", "ann", IGNORED].toSpliced(2, 0, "ask"),
  ]);
});

Deno.test("a question that is answered at the moment in which the server cancels it is recorded as one of the two", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit(question)));
  const task = await stage.start((task) => openQuestions(task).length > 0);
  const [{ key } = { key: "" }] = openQuestions(task);
  const [one, other] = stage.servers;
  await Promise.all([one?.answerForNobody(task, [key]), other?.answer(task.id, "ann", () => ({ [key]: NO }))]);
  assertEquals(stage.recorded.filter(([event]) => event === "answered").length, 1);
});

Deno.test("the audit log records once that a question has expired, however many servers there are", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit({ ...question, expiresIn: 1 })));
  const { expiredQuestions } = await stage.start(({ status }) => status === "COMPLETED");
  await stage.expired;
  await pause(0); // The other server has tried by then, too.
  assertEquals(stage.recorded, [["expired", "ann", "ask", ...expiredQuestions ?? ["no question"]]]);
});

Deno.test("a server without an audit log leaves it to another one to record that a question has expired", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit({ ...question, expiresIn: 1 })), [false, true]);
  await stage.start(({ status }) => status === "COMPLETED");
  await stage.expired;
  assertEquals(stage.logs.map((log) => log.filter(({ event }) => event === "expired").length), [0, 1]);
});

Deno.test("an answer that is too late is recorded as ignored, and its question once as expired", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit.all([question, { ...question, expiresIn: 1 }])));
  const { id } = await stage.start((task) => task.expiredQuestions !== undefined);
  const [tasks] = stage.servers;
  await stage.expired;
  const [[, , , expired] = []] = stage.recorded;
  await tasks?.answer(id, "ann", () => ({ [String(expired)]: NO }));
  assertEquals(stage.recorded, [["expired", "ann", "ask", expired], ["refused", "ann", "ask", IGNORED]]);
});

Deno.test("a server that closes first writes to the audit log which questions have expired", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit({ ...question, expiresIn: 1 })), [true]);
  const { keys } = stage.backend;
  const [slow, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const writeKey: typeof keys.writeKey = keys.writeKey.bind(keys);
  keys.writeKey = async (owner, key, from, to) => {
    if (key.startsWith("expired:")) {
      begun.resolve();
      await slow.promise;
    }
    return await writeKey(owner, key, from, to);
  };
  await stage.start(({ status }) => status === "COMPLETED");
  await begun.promise;
  const order: string[] = [];
  const closed = stage.servers[0]?.allClosed().then(() => order.push("closed"));
  const recorded = stage.expired.then(() => order.push("expired"));
  setTimeout(slow.resolve); // A server that does not wait has closed by then.
  await Promise.all([closed, recorded]);
  assertEquals(order, ["expired", "closed"]);
});

Deno.test("a question that nobody can be asked is cancelled, and others of its task stay open", async () => {
  const both = (ctx: JobContext) => ctx.elicit.all([question, { ...question, message: "Where to?" }]);
  await using stage = new Stage(jobThat(both));
  const task = await stage.start((now) => openQuestions(now).length === 2);
  const [asked, other] = openQuestions(task);
  await stage.servers[0]?.answerForNobody(task, [asked?.key ?? ""]);
  const open = openQuestions(await stage.backend.get(task.id, "ann"));
  assertEquals(open.map(({ key }) => key), [other?.key]);
});

Deno.test("two answers to two open questions count, and neither is recorded as ignored", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit.all([question, { ...question, message: "Where to?" }])));
  const { id } = await stage.start((task) => openQuestions(task).length === 2);
  await stage.servers[0]?.answer(id, "ann", (task) => {
    return Object.fromEntries(openQuestions(task).map(({ key }) => [key, NO]));
  });
  assertEquals(stage.recorded.map(([event]) => event), ["answered", "answered"]);
});

Deno.test("the clock of the store decides whether an answer is in time, not that of the server that takes it", async () => {
  await using stage = new Stage(jobThat((ctx) => ctx.elicit({ ...question, expiresIn: 600_000 })));
  const { id } = await stage.start((task) => openQuestions(task).length > 0);
  using ahead = new Tasks(stage.backend, () => Date.now() + 3_600_000);
  const answered = await ahead.answer(id, "ann", (task) => {
    return Object.fromEntries(openQuestions(task).map(({ key }) => [key, NO]));
  });
  assertEquals(openQuestions(answered), []);
});
