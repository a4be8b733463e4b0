/**
 * The entries for writers of strategies and backends export all that ours are made of: copied out of the package, with
 * every import taken from that entry, our own compile.
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "../tools/std.ts";
import type {
  Answer,
  Attempt,
  CancelledTask,
  Ended,
  NewLines,
  NewQuestion,
  NewTask,
  Outcome,
  ProgressReport,
  Question,
  record,
  RecordedStep,
  RetryPolicy,
  TaskRecord,
  WaitsFor,
} from "../backend.ts";
import { TempFolder } from "./support/temp_folder.ts";

const ROOT = new URL("../", import.meta.url);
const pathOf = (path: string) => fileURLToPath(new URL(path, ROOT));

const IMPORT = /^import ([^;]*?) from "(\.[^"]*)";/gm;

/** Replaces the imports of a file by imports from an entry; files of the same folder remain its neighbours. */
function moveOut(source: string, entry: string, neighbours: readonly string[]): string {
  return source.replaceAll(IMPORT, (line, names: string, from: string) => {
    if (from.startsWith("./") && neighbours.includes(basename(from))) return line;
    const space = /^\* as (\w+)$/.exec(names)?.[1];
    const taken = space === undefined ? names : `{ ${basename(from, ".ts")} as ${space} }`;
    return `import ${taken} from ${JSON.stringify(new URL(entry, ROOT).href)};`;
  });
}

/** Copies these files of one folder as if they stood in another package. Returns the copies. */
async function copyOut(entry: string, paths: readonly string[], folder: string): Promise<readonly string[]> {
  const names = paths.map((path) => basename(path));
  await Deno.mkdir(folder);
  for (const path of paths) {
    const source = await Deno.readTextFile(pathOf(path));
    await Deno.writeTextFile(`${folder}/${basename(path)}`, moveOut(source, entry, names));
  }
  return names.map((name) => `${folder}/${name}`);
}

/** The files of a folder that contain these words. */
async function filesWith(folder: string, words: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(pathOf(folder))) {
    if (!name.endsWith(".ts")) continue;
    if ((await Deno.readTextFile(pathOf(`${folder}/${name}`))).includes(words)) found.push(`${folder}/${name}`);
  }
  return found.sort();
}

Deno.test("our own strategies and the backend in memory could be written outside the package, with what ./strategy and ./backend export", async () => {
  const strategies = await filesWith("src/exposure", "implements ExposureStrategy");
  assert(strategies.length >= 2);
  await using folder = await TempFolder.make();
  // Of this command most of the time goes into the types of the package, so it is run once.
  const files = [
    ...await copyOut("strategy.ts", strategies, `${folder.path}/strategy`),
    ...await copyOut("backend.ts", await filesWith("src/backends/memory", ""), `${folder.path}/backend`),
  ];
  const args = ["check", "--quiet", `--config=${pathOf("deno.json")}`, ...files];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  assert(success, `They need more than these entries export:\n${new TextDecoder().decode(stderr)}`);
});

Deno.test("mod.ts exports what programs write, at most 65 names: no options of a strategy or a backend", async () => {
  const source = await Deno.readTextFile(pathOf("mod.ts"));
  assert(!source.includes("export *"), "An export of everything hides what it exports.");
  const names = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)]
    .flatMap(([, list = ""]) => list.split(",").map((name) => name.replace("type ", "").trim()))
    .filter((name) => name !== "");
  assert(names.length > 50 && names.length <= 65, `It exports ${names.length} names.`);
  const strategiesAndBackends = /^(Adaptive|Blocking|OperationResource|Polling|SingleTool|DenoKv|BullMq|Postgres)/;
  assertEquals(names.filter((name) => strategiesAndBackends.test(name) && !/(Strategy|Backend)$/.test(name)), []);
});

/** Whether two types are the same, and not only assignable. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
type Writable<T> = { -readonly [name in keyof T]: T[name] };
type Answers = { readonly [key: string]: Answer };

/** What `record` of ./backend has: a change of it is one for all who have written a backend. */
interface PublicRecord {
  readonly MAX_CRASHES: 3;
  readonly MAX_HAND_BACKS: 5;
  created(task: NewTask, now: number): TaskRecord;
  claimed(record: TaskRecord, holder: string, now: number): TaskRecord;
  unclaimed(record: TaskRecord, now: number, pause?: number): Ended;
  mayHaveSteps(record: TaskRecord): boolean;
  reported(record: TaskRecord, report: ProgressReport, now: number): TaskRecord;
  logged(record: TaskRecord, lines: NewLines): Ended;
  asked(record: TaskRecord, questions: readonly NewQuestion[], now: number): TaskRecord;
  askedOf(record: TaskRecord): { readonly questions: readonly Question[]; readonly answers: Answers };
  answered(record: TaskRecord, answers: Answers, now: number): TaskRecord;
  counted(record: TaskRecord, answers: Answers, now: number): readonly string[];
  parked(record: TaskRecord, awaited: WaitsFor, now: number): Ended;
  dueAtOf(record: TaskRecord): number | undefined;
  urgencyOf(record: TaskRecord): number;
  handedBack(record: TaskRecord, abandoned: boolean, steps: readonly RecordedStep[], now: number): Ended;
  crashed(record: TaskRecord, steps: readonly RecordedStep[], now: number): Ended;
  settled(record: TaskRecord, attempt: Attempt, now: number, random: number): Ended;
  isAbandoned(attempt: Attempt): boolean;
  backoff(retry: RetryPolicy, attempt: number, random: number): number;
  stopRequested(record: TaskRecord, now: number): TaskRecord;
  stopped(record: TaskRecord, now: number, message?: string): TaskRecord;
  cancelledNow(record: TaskRecord, now: number): TaskRecord;
  cancelledOutcome(info: CancelledTask): Outcome;
}

// `deno check` refuses this where a name is missing, added or has another type.
true satisfies Same<Writable<typeof record>, Writable<PublicRecord>>;
