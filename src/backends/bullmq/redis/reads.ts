/**
 * Reads of tasks: all that are called for during one are read together by the next.
 *
 * @module
 */
import { batched, type BatchOptions } from "../../shared/batch.ts";
import type { Snapshot } from "../snapshot.ts";
import { parseReply } from "./scripts/read.ts";
import type { RedisScripts } from "./scripts/run.ts";

/**
 * Reads a task, and its result if that is asked for. For an owner, another's task is like one that never existed: it is not
 * read, so that the time reveals nothing.
 */
export type ReadTask = (id: string, owner?: string, result?: boolean) => Promise<Snapshot | undefined>;

/** A task to read, the owner that it must have ("" for any), and whether to read its result. */
interface ReadRequest {
  readonly id: string;
  readonly owner: string;
  readonly result: boolean;
}

/** The most tasks that are read together. */
const MAX_READS = 500;

/** Returns a function that reads with these scripts. */
export function taskReads(scripts: RedisScripts, options?: BatchOptions): ReadTask {
  const readMany = async (requests: readonly ReadRequest[]) => {
    const args = requests.flatMap(({ id, owner, result }) => [id, owner, result ? 1 : 0]);
    return parseReply(requests.map(({ id }) => id), await scripts.run("read", ...args));
  };
  const read = batched(readMany, MAX_READS, options);
  return (id, owner = "", result = false) => read({ id, owner, result });
}
