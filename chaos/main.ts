/**
 * The chaos run: `deno task chaos [--backend kv|redis|postgres] [--tasks 2000] [--seed 1]`. Clients send tasks over MCP,
 * workers run them, and all the while workers, servers and the database are killed with SIGKILL. Some tasks take three steps
 * and ask a question. Ends with status 0 only if nothing was lost and nothing doubled, no recorded step ran again, no repeated
 * call started its task again without a reason, an operator lists and counts exactly the tasks that are stored, and processes
 * of each kind were killed.
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { CallToolResultSchema, CreateTaskResultSchema, type ElicitResult } from "@modelcontextprotocol/sdk/types.js";
import { readOptions } from "../tools/options.ts";
import { openBackend, Place, SHARED_BACKENDS } from "../tools/place.ts";
import { randomFrom } from "../tools/random.ts";
import type { TaskInfo } from "../mod.ts";
import { type Note, parseNote, runAgain } from "./approval/notes.ts";
import { miscounted } from "./counted.ts";
import { approve, LEASE_MS, step } from "./job.ts";
import { Milestones } from "./kills/milestones.ts";
import { type Kill, planKills, type Victim } from "./kills/plan.ts";
import { DEADLY, Ledger, type Planned } from "./ledger.ts";
import { callAgain, type Called, callForHandle } from "./plain_calls.ts";
import { Connection, WorkerProcess } from "./processes.ts";
import { RecoveryWatch } from "./recovery.ts";
import { judgeStarts } from "./started_again.ts";
import { endOfError, endOfResult, numberIn, type ReportedEnd } from "./reported_end.ts";

const PRODUCERS = 2;
const WORKERS = 3;
const IN_FLIGHT = 32;
const FAIL_SHARE = 0.05;

/** Of this many tasks, two are started by plain calls: one is repeated at its time limit, one waits for a handle. */
const PLAIN_PERIOD = 20;

/** Of this many tasks, one takes three steps and asks a question. */
const APPROVAL_PERIOD = 5;

/** The longest work of an ordinary task, and of one of a plain call, in ms. */
const LONGEST_MS = 30;
const LONGEST_PLAIN_MS = 400;

/** The owner of everything that clients start over stdio. */
const OWNER = "local";

const { backend: backendName, tasks: total, seed } = readOptions({ backend: SHARED_BACKENDS, tasks: 2_000, seed: 1 });
const random = randomFrom(seed);

await using place = await Place.make(backendName, { persistent: true });
const args = [backendName, place.folder];
const ledger = new Ledger();
const started = Date.now();
const kills = { worker: 0, server: 0, database: 0 };
let databaseStarts = 0;
/** Resolves when it runs again. */
let database = Promise.resolve();
const plain = new Map<number, Called>();
const crossed = new Map<number | undefined, number>();

await using backend = await openBackend(backendName, place.folder, LEASE_MS);
using recovery = new RecoveryWatch(backend);
const notes: Note[] = [];
const onLine = (line: string) => {
  const note = parseNote(line);
  if (note) notes.push(note);
};
/** Some may still be starting. */
const workers = Array.from({ length: WORKERS }, startWorker);
await Promise.all(workers);
const connections = Array.from(
  { length: PRODUCERS },
  () => new Connection(args, { onLate: (response) => count(crossed, numberIn(response)), answer: accept }),
);

let next = 0;
const ended = new Milestones();
const victims: readonly Victim[] = place.hasDatabase ? ["worker", "server", "database"] : ["worker", "server"];
ended.tell(total, "the tasks have ended");
const plannedKills = planKills(total, victims, random);
await Promise.all([
  ...connections.flatMap((connection) =>
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < total) {
        await sendAndAwait(connection, plan(next++));
        ended.add();
      }
    })
  ),
  ...plannedKills.map(async (planned) => {
    await ended.above(planned.after);
    await kill(planned);
  }),
]);

// Every end is asked for once more, from a server that saw none of it. A task that no client knows of may still ask.
const verifier = new Connection(args, { answer: accept });
for (const id of ledger.ids) ledger.reported(id, await ask(verifier, id));
// A client whose server died may have started its task twice, and knows only the second.
const known = new Set(ledger.ids);
const tasksOf = new Map<number, number>();
/** No client knows of these: its server died, and its next call started another task. */
const unknownDied: string[] = [];
for (const { id } of await storedTasks()) {
  const { kind, text } = known.has(id) ? ledger.lastReported(id) : await ask(verifier, id);
  const number = numberIn(text);
  if (number !== undefined) count(tasksOf, number);
  if (kind === "died" && !known.has(id)) unknownDied.push(id);
}
await Promise.all([verifier, ...connections].map((connection) => connection.close()));
await Promise.all(workers.map(async (worker) => (await worker).stop()));

const wrong = await miscounted(backend.operator, await storedTasks());
const verdict = ledger.judge((id) => recovery.killsOf(id));
const stepsAgain = runAgain(notes);
const killed = unknownDied.filter((id) => recovery.killsOf(id) >= DEADLY).length;
const lost = verdict.lost + unknownDied.length - killed;
const called = [...plain.values()];
const circumstances = [...plain].map(([number, { deaths }]) =>
  [number, { deaths, crossed: crossed.get(number) ?? 0 }] as const
);
const again = judgeStarts(new Map(circumstances), tasksOf);
const rows: [string, string | number][] = [
  ["backend", backendName],
  ["sent", verdict.sent],
  ["completed", verdict.completed],
  ["failed as planned", verdict.failedAsPlanned],
  ["ended because three workers were killed", verdict.died + killed],
  ["lost", lost],
  ["results doubled", verdict.doubled],
  ["with three steps and a question", Array.from({ length: total }, (_, number) => number).filter(asks).length],
  ["... recorded steps that ran again", stepsAgain.length],
  ["plain calls", called.length],
  ["... repeated at their time limit", called.filter(({ repeats }) => repeats > 0).length],
  ["... repetitions in all", called.reduce((sum, { repeats }) => sum + repeats, 0)],
  ["... answered with a handle", called.filter(({ handle }) => handle).length],
  ["started again after a server or the database died", again.afterDeath],
  ["started again after a result crossed the time limit", again.afterCrossing],
  ["started again for no reason", again.forNoReason],
  ["tasks that an operator lists or counts wrongly", wrong.length],
  ["workers killed", kills.worker],
  ["servers killed", kills.server],
  ["database killed", kills.database],
  ["slowest recovery", `${(recovery.slowest / 1_000).toFixed(1)} s`],
  ["time in all", `${((Date.now() - started) / 1_000).toFixed(0)} s`],
];
for (const [what, figure] of rows) console.log(`${what.padEnd(52)} ${figure}`);
for (const example of verdict.examples) console.error(example);
for (const number of again.examples) {
  console.error(
    `started again for no reason: ${number} ${JSON.stringify(plain.get(number))} ${tasksOf.get(number)} tasks`,
  );
}
for (const step of stepsAgain.slice(0, 5)) console.error(`a recorded step ran again: ${step}`);
for (const difference of wrong.slice(0, 5)) console.error(`wrong for an operator: ${difference}`);
const isWell = stepsAgain.length === 0 && wrong.length === 0 && lost === 0 && verdict.doubled === 0 &&
  again.forNoReason === 0 && verdict.sent === total && victims.every((victim) => kills[victim] > 0);
if (!isWell) Deno.exitCode = 1;

function accept(): Promise<ElicitResult> {
  return Promise.resolve({ action: "accept", content: { yes: true } });
}

function plan(number: number): Planned {
  const longest = isPlain(number) ? LONGEST_PLAIN_MS : LONGEST_MS;
  const [ms, fail] = [Math.floor(random() * longest), random() < FAIL_SHARE];
  return { number, ms, fail: fail && !asks(number) };
}

function asks(number: number): boolean {
  return number % APPROVAL_PERIOD === 1;
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function isPlain(number: number): boolean {
  return number % (PLAIN_PERIOD / 2) === 0;
}

async function callPlainly(connection: Connection, planned: Planned): Promise<void> {
  const startsBefore = databaseStarts;
  const call = planned.number % PLAIN_PERIOD === 0 ? callAgain : callForHandle;
  const called = await call(connection, planned);
  plain.set(planned.number, { ...called, deaths: called.deaths + kills.database - startsBefore });
  const { id = `without an id: ${planned.number}`, end } = called;
  ledger.sent(id, planned);
  ledger.reported(id, end);
}

async function storedTasks(): Promise<readonly TaskInfo[]> {
  const tasks: TaskInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await backend.list(OWNER, { cursor, limit: 500 });
    tasks.push(...page.tasks);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tasks;
}

async function sendAndAwait(connection: Connection, planned: Planned): Promise<void> {
  if (isPlain(planned.number)) return await callPlainly(connection, planned);
  const { number, ms } = planned;
  const [name, input] = asks(number) ? [approve.name, { number, point: "in a step", ms }] : [step.name, { ...planned }];
  const request = {
    method: "tools/call" as const,
    params: { name, arguments: input, task: { ttl: 3_600_000 } },
  };
  const created = await connection.use((client) => client.request(request, CreateTaskResultSchema));
  ledger.sent(created.task.taskId, planned);
  ledger.reported(created.task.taskId, await ask(connection, created.task.taskId));
}

/** Asks for the result and waits for it. */
async function ask(connection: Connection, taskId: string): Promise<ReportedEnd> {
  try {
    const result = await connection.use((client) =>
      client.request({ method: "tasks/result", params: { taskId } }, CallToolResultSchema, { timeout: 300_000 })
    );
    return endOfResult(result);
  } catch (error) {
    return endOfError(error);
  }
}

/** Kills one of them, and starts it again. One that still starts is killed once it has started. */
async function kill({ victim, which }: Kill): Promise<void> {
  const index = Math.floor(which * (victim === "worker" ? WORKERS : PRODUCERS));
  if (victim === "worker") await (workers[index] = replaceWorker(workers[index]));
  else if (victim === "database") await (database = database.then(restartDatabase));
  else if (await connections[index]?.kill()) {
    kills.server++;
    recovery.killed(); // Its own worker has died with it.
  }
}

async function replaceWorker(worker: Promise<WorkerProcess> | undefined): Promise<WorkerProcess> {
  const running = await worker;
  kills.worker++;
  recovery.killed();
  await running?.kill();
  return await startWorker();
}

/** A worker that ends because the database is away is started again when it is back. */
async function startWorker(): Promise<WorkerProcess> {
  while (true) {
    const startsBefore = databaseStarts;
    try {
      return await WorkerProcess.start(args, { onLine });
    } catch (error) {
      if (kills.database === startsBefore) throw error;
      await database;
    }
  }
}

async function restartDatabase(): Promise<void> {
  kills.database++;
  await place.restartDatabase();
  databaseStarts++;
}
