import { MemoryBackend } from "../../../mod.ts";
import { exerciseBackend } from "../../../src/testing/mod.ts";
import { newTask } from "../../support/tasks.ts";
import { PassingTime } from "../../support/time.ts";

/** The store deletes what has expired once it has so many tasks, when it is to store another one. */
const FIRST_SWEEP = 1_000;

const noProcess = "a store in memory dies with its process";

exerciseBackend("memory", () => {
  // A store in this process has no other clock, so fake time passes as soon as nothing else is left to do. Yours needs none.
  const time = new PassingTime();
  const backend = new MemoryBackend();
  const later = async (ms: number) => {
    time.skip(ms);
    for (let count = 0; count < FIRST_SWEEP; count++) await backend.create(newTask({ job: "other" }));
  };
  const close = async () => {
    await backend.close();
    await time[Symbol.asyncDispose]();
  };
  return Promise.resolve({ backend, connect: () => Promise.resolve(backend), later, close });
}, {
  skip: {
    "a task whose worker is killed runs again on another worker": noProcess,
    "a task that is cancelled after its worker was killed ends as cancelled": noProcess,
    "a task whose worker dies three times fails, and says why": noProcess,
    "deaths of workers count anew after a recorded step, and the third at one place fails the task, which names the step":
      noProcess,
    "a worker that is killed frees its slots": noProcess,
    "a parked task outlives its worker, which is killed": noProcess,
    "a step that a killed worker has recorded is not run again": noProcess,
    "a task whose worker is killed while it asks receives the answer that arrived meanwhile": noProcess,
    "an operator stops code in another process, and sees its worker until it is killed": noProcess,
    "an operator sees that a task runs in no worker that is alive, also if no task waits": noProcess,
    "the reason of the signal is HoldLost when another worker has taken the task over while this process was frozen":
      noProcess,
    "a worker that froze cannot end the task that another one has taken over, and what it claims later outlives it":
      noProcess,
    "of a long log only the end stays in the store, of a finished task no step, and of a purged one nothing":
      "nothing but this backend can read its store",
  },
});
