/**
 * The keys of the KV file.
 *
 * | key | value |
 * | --- | --- |
 * | task, owner, id | the record; ids sort by age, so a prefix lists an owner's tasks in order |
 * | ready, job, urgency, id | the record; exists exactly while the task can be claimed |
 * | index, job, id | the task's owner and, once it has one, its final status; exists exactly as long as the task |
 * | notable, job, status, id | the task's owner; exists while the task has a status with an index of its own (`operating/indexes.ts`) |
 * | count, end, job, name | how many tasks of the job are counted under the name (`operating/counters.ts`) |
 * | step, id, number | a recorded step of a task that is not finished |
 * | log, id, number | lines of its log, from this number on |
 * | delayed, due time, id | the record; its task becomes ready once it is due |
 * | worker, name | the jobs it runs, when its lease ends, and the tasks it may hold |
 * | event, writer, number | the changes of one commit, for a minute |
 * | blob, id, number | a piece of a large text |
 * | stream, name, event id | a message on its way to a client |
 * | key, owner, name | what a key names: a task id, and the fingerprint of its start |
 * | document, name | a text of the system, in UTF-8 |
 * | limit, job | which tasks of a job with limits may be held, and how many have begun in its window |
 * | ahead | by how many ms the id of a task is ahead of its `createdAt` at most; absent: none is |
 * | check, writer | a test whether the file can be written |
 * | garbage, due time, blob id | how many pieces to delete unless a record has come to refer to them |
 *
 * @module
 */

const ROOT = "mcp-jobs";

type Part = string | number;
type Key = readonly [typeof ROOT, ...Part[]];

export const taskKey = (owner: string, ...id: [string] | []): Key => [ROOT, "task", owner, ...id];
export const readyKey = (job: string, ...rest: [urgency: number, id: string] | []): Key => [
  ROOT,
  "ready",
  job,
  ...rest,
];
export const indexKey = (job: string, ...id: [string] | []): Key => [ROOT, "index", job, ...id];
export const notableKey = (job: string, status: string, ...id: [string] | []): Key => [
  ROOT,
  "notable",
  job,
  status,
  ...id,
];
export const countKey = (...rest: [end: number, job: string, name: string] | [end: number] | []): Key => [
  ROOT,
  "count",
  ...rest,
];
export const stepKey = (id: string, ...number: [number] | []): Key => [ROOT, "step", id, ...number];
export const logKey = (id: string, ...number: [number] | []): Key => [ROOT, "log", id, ...number];
export const delayedKey = (...rest: [dueAt: number, id: string] | []): Key => [ROOT, "delayed", ...rest];
export const workerKey = (...name: [string] | []): Key => [ROOT, "worker", ...name];
export const eventKey = (...rest: [writer: string, number: number] | [writer: string] | []): Key => [
  ROOT,
  "event",
  ...rest,
];
export const blobKey = (id: string, number: number): Key => [ROOT, "blob", id, number];
export const streamKey = (stream: string, ...id: [string] | []): Key => [ROOT, "stream", stream, ...id];
export const nameKey = (owner: string, name: string): Key => [ROOT, "key", owner, name];
export const documentKey = (...name: [string] | []): Key => [ROOT, "document", ...name];
export const limitKey = (job: string): Key => [ROOT, "limit", job];
export const aheadKey = (): Key => [ROOT, "ahead"];
export const checkKey = (writer: string): Key => [ROOT, "check", writer];
export const garbageKey = (...rest: [dueAt: number, id: string] | []): Key => [ROOT, "garbage", ...rest];
