import { Committer } from "../../../../src/backends/kv/committer.ts";
import type { KvStore } from "../../../../src/backends/kv/store.ts";
import type { KvEntry } from "../../../../src/backends/kv/stored.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { newTaskId } from "../../../../src/ids.ts";
import type { NewTask } from "../../../../src/backend.ts";
import { assert } from "../../../../tools/std.ts";
import { OWNER, storeOf } from "../support/store.ts";

const RETRY = { attempts: 2, delay: 1_000, maxDelay: 1_000 };

/** A file with a store whose clock the test sets. */
export interface Opened {
  readonly kv: Deno.Kv;
  readonly committer: Committer;
  readonly store: KvStore;
  readonly clock: { now: number };
  /** Stores a task, and reads it back. */
  readonly create: (task?: Partial<NewTask>) => Promise<KvEntry>;
  /** Writes what becomes of a task. */
  readonly change: (entry: KvEntry, ended: change.Ended | change.TaskRecord) => Promise<KvEntry>;
  /** Runs a task to its end. */
  readonly finish: (entry: KvEntry, attempt?: Parameters<typeof change.settled>[1]) => Promise<KvEntry>;
}

export async function withFile(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const clock = { now: Date.now() };
  const store = storeOf(kv, committer, { now: () => clock.now });
  const create = async (task: Partial<NewTask> = {}) => {
    const whole = { id: newTaskId(), job: "job", owner: OWNER, input: {}, resultTtl: 60_000, retry: RETRY, ...task };
    await store.create(change.created(whole, clock.now), JSON.stringify(whole.input));
    const entry = await store.read(whole.id, whole.owner);
    assert(entry);
    return entry;
  };
  const write = async (entry: KvEntry, ended: change.Ended | change.TaskRecord) => {
    const { record, outcome, lines }: change.Ended = "record" in ended ? ended : { record: ended };
    const changed = await store.change(entry, record, outcome, lines);
    assert(changed);
    return changed;
  };
  const finish = async (
    entry: KvEntry,
    attempt: Parameters<typeof change.settled>[1] = { kind: "value", value: 1 },
  ) => {
    const running = await write(entry, change.claimed(entry.record, "worker", clock.now));
    return await write(running, change.settled(running.record, attempt, clock.now, 0));
  };
  await use({ kv, committer, store, clock, create, change: write, finish });
  await committer.drained();
}
