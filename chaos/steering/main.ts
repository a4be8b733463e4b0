/**
 * The steering run: `deno task chaos:steering [--backend kv|redis|postgres] [--seconds 30] [--seed 1]`. Workers, servers and
 * the database are killed with SIGKILL, while one job has a limit of two at once, another one is paused and resumed again and again, and a
 * schedule has a task each second. Ends with status 0 only if the limit was kept, nothing began during a pause, each due time
 * had exactly one task, and all tasks have ended once.
 */
import { BackendError, isFinished, newTaskId, type TaskInfo } from "../../backend.ts";
import type { Job } from "../../mod.ts";
import { LATE_MS } from "../../src/schedules/schedule.ts";
import { pause } from "../../src/waiting.ts";
import { taskOfDueTime } from "./kept_keys.ts";
import { openBackend, Place, SHARED_BACKENDS } from "../../tools/place.ts";
import { randomFrom } from "../../tools/random.ts";
import { readOptions } from "../../tools/options.ts";
import { LEASE_MS } from "../job.ts";
import { WorkerProcess } from "../processes.ts";
import { EVERY_MS, held, limited, MAX_AT_ONCE, OWNER, type RunEvent, SCHEDULE, timed } from "./jobs.ts";
import { begunWithin, excesses, mostAtOnce, runsOf, type Span, type Witness } from "./judge.ts";

const WORKERS = 3;
/** They are killed one after the other, so that there are always some that keep the schedule. */
const SERVERS = 3;
const TICK_MS = 250;
const KILL_CHANCE = 0.05;
/** Of so many ticks, the database is killed in one, and for how long it is away, in ms. */
const DATABASE_TICKS = 16;
const OUTAGE_MS = 500;
/** How long a pause lasts, and the time before the next one, in ticks. */
const PAUSE_TICKS = 16;
/** How long the other processes have to hear of a pause, in ms. */
const NOTICE_MS = LEASE_MS;
/** How long all tasks have to end, once nothing is killed any more, in ms. */
const TIMEOUT_MS = 120_000;
/** How many tasks are read at once. All of them would pass the time limit of the store on a busy machine. */
const AT_ONCE = 500;

const { backend: name, seconds, seed } = readOptions({ backend: SHARED_BACKENDS, seconds: 30, seed: 1 });
const ticks = seconds * 1_000 / TICK_MS;
const random = randomFrom(seed);

/** A process, and what it tells. */
class Watched {
  readonly witness: Witness = { events: [], over: Infinity };
  #process: WorkerProcess | undefined;

  static async start(script: "steering/worker" | "steering/server"): Promise<Watched> {
    const watched = new Watched();
    const onLine = (line: string) => void watched.witness.events.push(JSON.parse(line) as RunEvent);
    watched.#process = await WorkerProcess.start([name, place.folder], { worker: script, onLine });
    witnesses.push(watched.witness);
    return watched;
  }

  async end(how: "kill" | "stop"): Promise<void> {
    const ending = this.#process?.[how]();
    // It runs no code after SIGKILL, however late a busy machine notices its end.
    if (how === "kill") this.witness.over = Date.now();
    await ending;
    if (how === "stop") this.witness.over = Date.now();
  }
}

await using place = await Place.make(name, { persistent: true });
await using backend = await openBackend(name, place.folder, LEASE_MS);
const { operator } = backend;
const witnesses: Witness[] = [];
const ends = new Map<string, number>();
const leave = backend.watch((event) => {
  if (event.kind === "change" && isFinished(event.task)) ends.set(event.task.id, (ends.get(event.task.id) ?? 0) + 1);
});
const start = (count: number, script: "steering/worker" | "steering/server") =>
  Promise.all(Array.from({ length: count }, () => Watched.start(script)));
const [workers, servers] = [await start(WORKERS, "steering/worker"), await start(SERVERS, "steering/server")];
const sent: TaskInfo[] = [];
const pauses: Span[] = [];
let [kills, databaseKills, pausedAt] = [0, 0, 0];
let [databaseTick, database] = [0, Promise.resolve()];

for (let tick = 0; tick < ticks; tick++) {
  if (tick % DATABASE_TICKS === 0) databaseTick = tick + Math.floor(random() * DATABASE_TICKS);
  if (tick === databaseTick && place.hasDatabase) {
    databaseKills++;
    database = database.then(() => place.restartDatabase(OUTAGE_MS));
  }
  await Promise.all([pause(TICK_MS), create(limited, 150), create(limited, 200), create(held, 5), create(held, 10)]);
  if (tick % PAUSE_TICKS === 0) await (pausedAt === 0 ? pauseHeld() : resumeHeld());
  for (const [group, script] of [[workers, "steering/worker"], [servers, "steering/server"]] as const) {
    for (const [index, process] of group.entries()) {
      if (random() >= KILL_CHANCE) continue;
      kills++;
      await process.end("kill");
      await database; // What is started needs it.
      group[index] = await Watched.start(script);
    }
  }
}
await database;
if (pausedAt !== 0) await resumeHeld();
await Promise.all(servers.map((server) => server.end("stop")));
const scheduled = await tasksOf(timed.name);
const created = [...await tasksOf(limited.name), ...await tasksOf(held.name)];
const unfinished = await untilFinished([...sent, ...created, ...scheduled]);
await Promise.all(workers.map((worker) => worker.end("stop")));
leave();

const due = await dueTimes();
const dueIds = new Set(due);
const beside = scheduled.filter(({ id }) => !dueIds.has(id));
const twice = [...ends.values()].filter((count) => count > 1).length;
const most = mostAtOnce(runsOf(limited.name, witnesses));
const begun = begunWithin(runsOf(held.name, witnesses), pauses);
const leftOut = due.filter((id) => id === undefined).length;
const rows: [string, number][] = [
  ["tasks sent", sent.length],
  ["tasks that workers created", created.length - sent.length],
  ["tasks of the schedule", scheduled.length],
  ["processes killed", kills],
  ["database killed", databaseKills],
  ["pauses", pauses.length],
  ["lost, or ended otherwise than COMPLETED", unfinished],
  ["ended twice", twice],
  ["the most at once of the limited job", most],
  ["runs that began during a pause", begun],
  ["due times", due.length],
  ["due times that were left out", leftOut],
  ["tasks of the schedule beside those of due times", beside.length],
];
for (const [what, figure] of rows) console.log(`${what.padEnd(52)} ${figure}`);
for (const excess of excesses(runsOf(limited.name, witnesses), MAX_AT_ONCE)) {
  console.error(`ran at once: ${JSON.stringify(excess)}`);
}
if (beside.length > 0) console.error(`of no due time: ${JSON.stringify(beside)}`);
const isWell = unfinished + twice + begun + leftOut + beside.length === 0 && most <= MAX_AT_ONCE &&
  due.length === scheduled.length;
if (!isWell) Deno.exitCode = 1;

async function create(job: Job, ms: number): Promise<void> {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  // By its key a call finds the task of one that the database has stored, but not answered.
  const key = { name: crypto.randomUUID(), window: 3_600_000 };
  const task = { job: job.name, owner: OWNER, input: { ms }, resultTtl: 3_600_000, retry, key };
  sent.push(await untilAnswered(() => backend.create({ ...task, id: newTaskId() })));
}

/** Calls again while the database is away, or too busy to answer in time. */
async function untilAnswered<T>(call: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (true) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof BackendError) || Date.now() > deadline) throw error;
      await pause(TICK_MS);
    }
  }
}

async function pauseHeld(): Promise<void> {
  await untilAnswered(() => operator.pause(held.name));
  pausedAt = Date.now();
}

async function resumeHeld(): Promise<void> {
  pauses.push({ from: pausedAt + NOTICE_MS, to: Date.now() });
  pausedAt = 0;
  await untilAnswered(() => operator.resume(held.name));
}

async function tasksOf(job: string): Promise<readonly TaskInfo[]> {
  const tasks: TaskInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await untilAnswered(() => operator.tasks({ job, cursor, limit: 1_000 }));
    tasks.push(...page.tasks);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return tasks;
}

/** Waits for the ends of tasks. Resolves with how many have not ended well. */
async function untilFinished(tasks: readonly TaskInfo[]): Promise<number> {
  const deadline = Date.now() + TIMEOUT_MS;
  let open = tasks;
  let failed = 0;
  while (true) {
    const now: TaskInfo[] = [];
    for (let i = 0; i < open.length; i += AT_ONCE) {
      const read = ({ id, owner }: TaskInfo) => untilAnswered(() => backend.get(id, owner));
      now.push(...await Promise.all(open.slice(i, i + AT_ONCE).map(read)));
    }
    failed += now.filter((task) => isFinished(task) && task.status !== "COMPLETED").length;
    open = now.filter((task) => !isFinished(task));
    if (open.length === 0 || Date.now() > deadline) return failed + open.length;
    await pause(TICK_MS);
  }
}

/** The task of each due time so far, `undefined` where there is none. */
async function dueTimes(): Promise<readonly (string | undefined)[]> {
  const schedule = (await untilAnswered(() => operator.schedules())).find(({ name }) => name === SCHEDULE);
  const last = schedule?.last?.dueAt ?? 0;
  const first = Math.min(...scheduled.map(({ createdAt }) => createdAt));
  // Also the first task may have been created late.
  const times = Array.from(
    { length: Math.floor((last - first + LATE_MS) / EVERY_MS) + 2 },
    (_, index) => last - index * EVERY_MS,
  );
  const ids = await Promise.all(
    times.map((time) => untilAnswered(() => taskOfDueTime(backend, OWNER, SCHEDULE, time))),
  );
  // The first due time is the last one that has a task.
  return ids.slice(0, ids.findLastIndex((id) => id !== undefined) + 1);
}
