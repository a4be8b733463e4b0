/** One round: a task is brought into a state, a process is killed, and the task is brought to its end. */
import type { Backend } from "../../mod.ts";
import { runAgain } from "../approval/notes.ts";
import { inTime } from "./in_time.ts";
import { parking, patient } from "./jobs.ts";
import type { Lane, Victim } from "./lane.ts";
import { Seen } from "./seen.ts";
import { pause } from "../../src/waiting.ts";

/** The states in which a process is killed. */
export const STATES = [
  "pending",
  "running",
  "in a step",
  "asking",
  "parked",
  "answered",
  "resumed",
  "finishing",
] as const;
export type State = typeof STATES[number];

/** What a round is about. */
export interface Round {
  readonly number: number;
  readonly state: State;
  readonly victim: Victim;
  /** How long after the state was reached the process is killed, in ms. */
  readonly later: number;
}

/** For how long the code of a task stays at a point, in ms, and for how long another occupies the worker before it. */
const STAY_MS = 400;
const OCCUPY_MS = 2_000;

/** The longest that a round may take, in ms: after that its task counts as lost. */
const TIMEOUT_MS = 120_000;

/** The owner of everything that clients start over stdio. */
const OWNER = "local";

/**
 * Runs a round. Resolves with what was not as it should be, or with nothing if the task was not in the state any longer when
 * the process was to be killed: the machine was too busy.
 */
export async function run(round: Round, lane: Lane, backend: Backend): Promise<readonly string[] | undefined> {
  const { number, state, victim, later } = round;
  const problems: string[] = [];
  const point = state === "running" || state === "in a step" || state === "resumed" ? state : "nowhere";
  const tool = state === "asking" ? patient(lane.name) : parking(lane.name);
  if (state === "pending") await occupy(round, lane);
  const id = await lane.client.start(tool, { number, point, ms: STAY_MS });
  using seen = new Seen(backend, id, OWNER);
  const withTimeout = inTime(TIMEOUT_MS, () => `${id} does not get on: ${seen}`);
  try {
    const awaited: Promise<string>[] = [];
    // A killed client receives nothing more.
    const goOn = () => void awaited.push(lane.client.await(id).catch(() => ""));
    const reached = await Promise.race([withTimeout(reach(round, lane, seen, goOn)).then(() => true), seen.end]);
    if (reached !== true) return undefined;
    await pause(later);
    await withTimeout(lane.kill(victim));
    goOn();
    const texts = (await withTimeout(Promise.all(awaited))).filter((text) => text !== "");
    const end = await withTimeout(seen.end);
    const outcome = await backend.outcome(id, OWNER);
    const value = outcome.kind === "value" ? `completed ${JSON.stringify(outcome.value)}` : outcome.message;
    if (!value.includes(`"number":${number},`)) problems.push(`${id} has ended as ${end.status}: ${value}`);
    for (const text of texts) if (text !== value) problems.push(`${id} has two results: ${text} and ${value}`);
    problems.push(...seen.problems(lane.asked.filter((one) => one.number === number)));
    problems.push(...runAgain(lane.notes.filter((note) => note.number === number)));
  } catch (error) {
    problems.push(String(error));
  }
  return problems;
}

/** Resolves once the task is in the state. */
async function reach(round: Round, lane: Lane, seen: Seen, goOn: () => void): Promise<void> {
  const { number, state } = round;
  if (state === "running" || state === "in a step") return await lane.stood(number, state);
  if (state === "pending") return await seen.until((task) => task.status === "PENDING");
  if (state === "asking") {
    await seen.until((task) => task.status === "INPUT_REQUIRED");
    goOn();
    return await lane.wasAsked(number);
  }
  await seen.until((task) => "parked" in task);
  if (state === "parked") return;
  if (state === "answered") await occupy(round, lane);
  goOn();
  if (state === "answered") return await seen.until((task) => task.status === "PENDING" && !("parked" in task));
  await lane.stood(number, state);
}

/** Occupies the only slot of the lane's worker for a while. */
async function occupy({ number }: Round, lane: Lane): Promise<void> {
  const blocker = -number - 1;
  await lane.client.start(parking(lane.name), { number: blocker, point: "running", ms: OCCUPY_MS });
  await lane.stood(blocker, "running");
}
