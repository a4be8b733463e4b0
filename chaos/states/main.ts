/**
 * `deno task chaos:states [--backend kv|redis|postgres] [--rounds 50] [--seed 1] [--lanes 4]`: kills a worker, a server and
 * a client with SIGKILL, each so many times in each state of a task. Ends with status 0 only if every task came to its end,
 * with one result, without a question that was asked again after its answer, and without a recorded step that ran again.
 */
import { openBackend, Place, SHARED_BACKENDS } from "../../tools/place.ts";
import { randomFrom } from "../../tools/random.ts";
import { readOptions } from "../../tools/options.ts";
import { LEASE_MS } from "../job.ts";
import { Milestones } from "../kills/milestones.ts";
import { Lane, VICTIMS } from "./lane.ts";
import { type Round, run, STATES } from "./round.ts";

/** The longest pause between a state and the kill, in ms: shorter than any state in which the code stays. */
const LONGEST_MS = 8;

const options = readOptions({ backend: SHARED_BACKENDS, rounds: 50, seed: 1, lanes: 4 });
const { backend: backendName, rounds } = options;
const random = randomFrom(options.seed);

const plan: Round[] = [];
for (let i = 0; i < rounds; i++) {
  for (const state of STATES) {
    for (const victim of VICTIMS) {
      plan.push({ number: plan.length, state, victim, later: Math.floor(random() * LONGEST_MS) });
    }
  }
}
let last = plan.length;
const over = new Milestones();
over.tell(plan.length, "the rounds are over");
let missed = 0;
const killed = new Map<string, number>();
const problems: string[] = [];
const started = Date.now();

await using place = await Place.make(backendName, { persistent: true });
{
  await using backend = await openBackend(backendName, place.folder, LEASE_MS);
  const left = [...plan];
  await Promise.all(Array.from({ length: Math.min(options.lanes, plan.length) }, async (_, index) => {
    await using lane = new Lane(`${index}`, [backendName, place.folder]);
    for (let round = left.shift(); round; round = left.shift()) {
      const found = await run(round, lane, backend);
      if (found === undefined) {
        left.push({ ...round, number: last++ });
        missed++;
        continue;
      }
      for (const problem of found) console.error(`${JSON.stringify(round)}: ${problem}`);
      problems.push(...found);
      over.add();
      killed.set(round.state, (killed.get(round.state) ?? 0) + 1);
    }
  }));
}
const rows: [string, string | number][] = [
  ["backend", backendName],
  ["rounds", plan.length],
  ...STATES.map((state): [string, number] => [`killed while ${state}`, killed.get(state) ?? 0]),
  ["repeated, because the state was over already", missed],
  ["problems", problems.length],
  ["time in all", `${((Date.now() - started) / 1_000).toFixed(0)} s`],
];
for (const [what, figure] of rows) console.log(`${what.padEnd(52)} ${figure}`);
if (problems.length > 0) Deno.exitCode = 1;
