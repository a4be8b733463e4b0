/**
 * The keys of the KV file.
 *
 * | key | value |
 * | --- | --- |
 * | task, owner, id | the record; ids sort by age, so a prefix lists an owner's tasks in order |
 * | ready, job, urgency, id | the record; exists exactly while the task can be claimed |
 * | index, job, id | the task's owner and, once it has one, its final status; exists exactly as long as the task |
 * | notable, job, status, id | the task's owner; exists while the task has a status with an index of its own (`operating/indexes.ts`) |
 * | count, end, job, name | how many tasks of the job are counted under the name (`operating/counts.ts`) |
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
 * | format | the format of all this |
 * | check, writer | a test whether the file can be written |
 * | garbage, due time, blob id | how many pieces to delete unless a record has come to refer to them |
 *
 * @module
 */

/** The number of the format of all this. It changes with what another version of this code would misread. */
export const FORMAT = 1;

const ROOT = "mcp-jobs";

type Part = string | number;
type Key = readonly [typeof ROOT, ...Part[]];

/** How the keys of a kind are made of their other parts; fewer of these make the prefix of several keys. */
function keys<Parts extends readonly Part[]>(kind: string): (...parts: Parts) => Key {
  return (...parts) => [ROOT, kind, ...parts];
}

export const taskKey = keys<[owner: string] | [owner: string, id: string]>("task");
export const readyKey = keys<[job: string] | [job: string, urgency: number, id: string]>("ready");
export const indexKey = keys<[job: string] | [job: string, id: string]>("index");
export const notableKey = keys<[job: string, status: string] | [job: string, status: string, id: string]>("notable");
export const countKey = keys<[end: number] | [end: number, job: string, name: string]>("count");
export const stepKey = keys<[id: string] | [id: string, number: number]>("step");
export const logKey = keys<[id: string] | [id: string, number: number]>("log");
export const delayedKey = keys<[] | [dueAt: number] | [dueAt: number, id: string]>("delayed");
export const workerKey = keys<[] | [name: string]>("worker");
export const eventKey = keys<[] | [writer: string] | [writer: string, number: number]>("event");
export const blobKey = keys<[id: string, number: number]>("blob");
export const streamKey = keys<[stream: string] | [stream: string, id: string]>("stream");
export const nameKey = keys<[owner: string, name: string]>("key");
export const documentKey = keys<[] | [name: string]>("document");
export const limitKey = keys<[job: string]>("limit");
export const aheadKey = keys<[]>("ahead");
export const formatKey = keys<[]>("format");
export const checkKey = keys<[writer: string]>("check");
export const garbageKey = keys<[] | [dueAt: number, id: string]>("garbage");
