/**
 * The conformance kit: the tests that every backend passes, for backends of your own.
 *
 * @example
 * ```ts ignore
 * import { MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { exerciseBackend } from "@mcp-jobs/mcp-jobs/testing";
 *
 * exerciseBackend("my backend", () => {
 *   const backend = new MemoryBackend(); // yours
 *   return Promise.resolve({
 *     backend,
 *     connect: () => Promise.resolve(backend),
 *     close: () => backend.close(),
 *   });
 * }, {
 *   skip: {
 *     "a task whose worker is killed runs again on another worker": "its store lives in one process",
 *     "a task that is cancelled after its worker was killed ends as cancelled": "its store lives in one process",
 *     "a task whose worker is killed while it asks receives the answer that arrived meanwhile": "its store lives in one process",
 *     "a task whose worker dies three times fails, and says why": "its store lives in one process",
 *     "deaths of workers count anew after a recorded step, and the third at one place fails the task, which names the step":
 *       "its store lives in one process",
 *     "a parked task outlives its worker, which is killed": "its store lives in one process",
 *     "a worker that is killed frees its slots": "its store lives in one process",
 *     "a step that a killed worker has recorded is not run again": "its store lives in one process",
 *     "an operator stops code in another process, and sees its worker until it is killed": "its store lives in one process",
 *     "an operator sees that a task runs in no worker that is alive, also if no task waits": "its store lives in one process",
 *     "the reason of the signal is HoldLost when another worker has taken the task over while this process was frozen":
 *       "its store lives in one process",
 *     "a worker that froze cannot end the task that another one has taken over, and what it claims later outlives it":
 *       "its store lives in one process",
 *     "of a long log only the end stays in the store, of a finished task no step, and of a purged one nothing":
 *       "nothing but this backend can read its store",
 *   },
 * });
 * ```
 *
 * @module
 */
import { callback, checkOptions, required } from "../options.ts";
import { asking } from "./cases/asking.ts";
import { cancelling } from "./cases/cancelling.ts";
import { expiring } from "./cases/expiring.ts";
import { documents } from "./cases/keeping/documents.ts";
import { keying } from "./cases/keeping/keying.ts";
import { limits } from "./cases/keeping/limits.ts";
import { recording } from "./cases/keeping/recording.ts";
import { schedules } from "./cases/keeping/schedules.ts";
import { streams } from "./cases/keeping/streams.ts";
import { counting } from "./cases/operating/counting.ts";
import { listing } from "./cases/operating/listing.ts";
import { pausing } from "./cases/operating/pausing.ts";
import { steering } from "./cases/operating/steering.ts";
import { logging } from "./cases/keeping/logging.ts";
import { parking } from "./cases/parking.ts";
import { reading } from "./cases/reading.ts";
import { running } from "./cases/running.ts";
import { signalling } from "./cases/signalling.ts";
import { type BackendHarness, type CaseNeeds, type Cases, Stage } from "./stage.ts";
import { sleeping } from "./cases/sleeping.ts";
import { steps } from "./cases/steps.ts";
import { stopping } from "./cases/stopping.ts";
import { values } from "./cases/values.ts";
import { watching } from "./cases/watching.ts";

export type * from "../backend.ts";
export type * from "../task.ts";
export { doomedJob } from "./doomed.ts";
export type { BackendHarness, CaseNeeds } from "./stage.ts";

/** The options of {@linkcode exerciseBackend}. */
export interface ExerciseOptions {
  /** The cases to skip, by name, each with its reason, which the name of the test then shows. */
  readonly skip?: { readonly [caseName: string]: string };
}

/**
 * Registers the tests of the backend contract with `Deno.test`. Each calls `open` for its own backend, on an empty store,
 * with what the case needs, and closes it; timers, operations and resources that are left open fail the test.
 * Throws `DefinitionError` if `open` is no function, and `Error` if there is no case with a name in `skip`.
 */
export function exerciseBackend(
  name: string,
  open: (needs: CaseNeeds) => Promise<BackendHarness>,
  { skip = {} }: ExerciseOptions = {},
): void {
  checkOptions("exerciseBackend", { open }, { open: required(callback) });
  const cases: Cases = {
    ...values,
    ...reading,
    ...running,
    ...cancelling,
    ...keying,
    ...logging,
    ...documents,
    ...streams,
    ...schedules,
    ...limits,
    ...asking,
    ...expiring,
    ...parking,
    ...sleeping,
    ...steps,
    ...recording,
    ...watching,
    ...stopping,
    ...listing,
    ...counting,
    ...steering,
    ...pausing,
    ...signalling,
  };
  for (const unknown of Object.keys(skip).filter((title) => !Object.hasOwn(cases, title))) {
    throw new Error(`Cannot skip ${JSON.stringify(unknown)}: the kit has no case of this name.`);
  }
  for (const [title, run] of Object.entries(cases)) {
    const reason = skip[title];
    Deno.test({
      name: `${name}: ${title}${reason === undefined ? "" : ` (left out: ${reason})`}`,
      ignore: reason !== undefined,
      sanitizeOps: true,
      sanitizeResources: true,
      fn: async () => {
        try {
          await using stage = new Stage(await open({ workersDie: run.workersDie === true, cut: run.cut === true }));
          await run(stage);
        } catch (error) {
          // Deno shows neither of the two errors of a SuppressedError. What the case says comes first.
          if (!(error instanceof SuppressedError)) throw error;
          throw new AggregateError(
            [error.suppressed, error.error],
            "The case has failed, and so has what closes its backend.",
          );
        }
      },
    });
  }
}
