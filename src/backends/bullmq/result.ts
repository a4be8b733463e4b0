/**
 * Where a result is stored: in the job, as BullMQ does it, or in our record beside the job.
 *
 * @module
 */
import { isObject } from "../../json.ts";
import type { Json, Outcome, ResultValue, TaskInfo } from "../../task.ts";
import { cancelledOutcome } from "../shared/record.ts";
import { parse } from "./redis/scripts/read.ts";
import { failureOf, type Snapshot } from "./snapshot.ts";

/**
 * The longest result that is stored in the job itself, in UTF-16 units: BullMQ sends a job's result to all subscribers
 * of its queue, and keeps it in the queue's events. A longer one is stored in the record.
 */
const MAX_INLINE = 32_768;

/** The key of the placeholder that a job has for a result in the record; its value is the run that returned the result. */
const STORED_APART = "mcp-jobs";

/** Another key of the placeholder: the record has a whole `ResultValue`, not only the value. */
const CONTENT = "content";

/** What is stored in the job and, if that is not the value itself, the field of the record and its text. */
export interface StoredResult {
  readonly job: Json;
  readonly apart?: { readonly field: string; readonly text: string };
}

/**
 * How the result of a run is stored: in the record if it is long, has content, or looks like the placeholder of such a
 * result.
 */
export function toStored(run: number, { value, content }: ResultValue): StoredResult {
  if (content !== undefined) {
    const text = JSON.stringify({ value, content });
    return { job: { [STORED_APART]: run, [CONTENT]: true }, apart: { field: `content:${run}`, text } };
  }
  const text = JSON.stringify(value);
  const looksStoredApart = isObject(value) && STORED_APART in value;
  if (text.length <= MAX_INLINE && !looksStoredApart) return { job: value };
  return { job: { [STORED_APART]: run }, apart: { field: `result:${run}`, text } };
}

/** What is stored as the result of a job that is no task of ours and so has no record. */
export function withoutRecord({ value, content }: ResultValue): Json {
  if (content === undefined) return value;
  return { content: content.map((part) => ({ ...part })), ...(value !== null && { structuredContent: value }) };
}

/** The result in a job; `read` reads a field of the record. A result of another worker is taken as it is. */
export async function fromStored(
  text: string | null,
  read: (field: string) => Promise<string | null>,
): Promise<ResultValue> {
  const job = inJob(text);
  if (!isStoredApart(job)) return { value: job };
  const withContent = job[CONTENT] === true;
  const apart = await read(`${withContent ? "content" : "result"}:${job[STORED_APART]}`);
  if (apart === null) return { value: job };
  return withContent ? JSON.parse(apart) : { value: JSON.parse(apart) };
}

/**
 * How a task ended, as far as its snapshot says it: `undefined` if it has not ended, or if its result was not read or is
 * stored in the record.
 */
export function outcomeOf(snapshot: Snapshot, task: TaskInfo): Outcome | undefined {
  if (task.status === "CANCELLED") return cancelledOutcome(task);
  if (task.status === "FAILED") return failureOf(snapshot);
  if (task.status !== "COMPLETED" || snapshot.result === undefined) return undefined;
  const value = inJob(snapshot.result);
  return isStoredApart(value) ? undefined : { kind: "value", value };
}

/** The value in a job: a text that is not JSON is taken as it is. */
function inJob(text: string | null): Json {
  const value = parse<Json>(text);
  return value === undefined ? text : value;
}

function isStoredApart(value: Json): value is { readonly [key: string]: Json } {
  return isObject(value) && STORED_APART in value;
}
