/**
 * Attempts of jobs: on a real worker, or without a backend.
 *
 * @module
 */
import type { z } from "zod";
import type { Claim, Outcome, WorkHandle, WorkOptions } from "../../backend.ts";
import { createWorker, defineJob, type Job, type Json, MemoryBackend, type TaskInfo } from "../../mod.ts";
import type { JobPolicy } from "../../strategy.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { newTaskId } from "../../src/ids.ts";
import { retryPolicy } from "../../src/job.ts";

const input = { type: "object" } as const;

export interface Ended {
  readonly outcome: Outcome;
  readonly task: TaskInfo;
}

/** Runs one task of a job on a real worker until it ends. */
export async function runOnce(job: Job, { value = {}, policy = { attempts: 1 } }: {
  readonly value?: Json;
  readonly policy?: JobPolicy;
} = {}): Promise<Ended> {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  const id = newTaskId();
  const { timeout } = policy;
  const retry = retryPolicy({ backoff: { delay: 1 }, ...policy });
  await backend.create({ id, job: job.name, owner: "me", input: value, resultTtl: 60_000, retry, timeout });
  const task = await feed.wait(id, "me", new AbortController().signal);
  return { task, outcome: await backend.outcome(id, "me") };
}

export function returning(value: unknown, output?: z.ZodType): Job {
  return defineJob({ name: "returning", input, output, run: () => value });
}

/** What a backend does to run a claim of a job. */
export async function runnerOf(job: Job): Promise<WorkOptions["run"]> {
  const { promise, resolve } = Promise.withResolvers<WorkOptions["run"]>();
  class Caught extends MemoryBackend {
    override work({ run }: WorkOptions): WorkHandle {
      resolve(run);
      return { ready: Promise.resolve(), stop: () => Promise.resolve() };
    }
  }
  await using backend = new Caught();
  await using _worker = createWorker(backend, [job]);
  return await promise;
}

/** A claim of a job in a store that does all at once. */
export function claimOf(job: Job): Claim {
  return {
    task: { id: newTaskId(), job: job.name, owner: "me", attempt: 1 },
    input: {},
    signal: new AbortController().signal,
    report: () => Promise.resolve(),
    log: () => Promise.resolve(),
    ask: () => new Promise(() => {}),
    stored: () => Promise.resolve(),
    now: () => 0,
    mayHaveSteps: false,
    steps: () => Promise.resolve([]),
    record: () => Promise.resolve(),
    forget: () => Promise.resolve(),
    park: () => Promise.resolve(),
  };
}
