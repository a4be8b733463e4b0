/**
 * The logs of tasks in a KV file: lines in segments, each the value of a key. Only the last segment is written again as lines
 * are added, so that a line costs no more than that.
 *
 * @module
 */
import type { LogLine } from "../../../backend.ts";
import { newestLines } from "../../../task_log/newest_lines.ts";
import { packed } from "../../../text.ts";
import type { Write } from "../committer.ts";
import { logKey } from "../keys.ts";
import { list } from "../reading.ts";

/** The size at which a segment is full, in bytes; the longest line may exceed it. KV takes 65,536 in a value. */
const SEGMENT_BYTES = 16_000;

/** What a line takes besides its text, in bytes. */
const LINE_BYTES = 100;

/** Reads the log of a task, in order. */
export async function readLog(kv: Deno.Kv, id: string): Promise<readonly LogLine[]> {
  return (await segmentsOf(kv, id)).flat();
}

/**
 * What is written when lines are added to the log of a task. With `expireIn`, in ms, the task is finished, and its log is
 * deleted after that time. The change must check that the task is as it was before this reads its log.
 */
export async function logWriting(
  kv: Deno.Kv,
  id: string,
  added: readonly LogLine[],
  expireIn?: number,
): Promise<Required<LogWrite>> {
  const before = await segmentsOf(kv, id);
  const segments = [
    ...before.slice(0, -1),
    ...packed([...before.at(-1) ?? [], ...added], bytesOf, SEGMENT_BYTES),
  ];
  const [first] = newestLines([...before.flat(), ...added]);
  const kept = segments.filter((lines) => first !== undefined && (lines.at(-1)?.number ?? 0) >= first.number);
  // At the end all of them are written once more: only then is it known how long they are kept.
  const written = kept.filter((lines) => expireIn !== undefined || isNew(lines, added));
  // The last segment keeps its name as it grows, even if none of its earlier lines is kept.
  const names = new Set(kept.map(numberOf));
  return {
    sets: written.map((lines) => ({ key: logKey(id, numberOf(lines)), value: lines, expireIn })),
    deletes: before.map(numberOf).filter((name) => !names.has(name)).map((name) => logKey(id, name)),
    bytes: written.flat().reduce((sum, line) => sum + bytesOf(line), 0),
  };
}

async function segmentsOf(kv: Deno.Kv, id: string): Promise<readonly (readonly LogLine[])[]> {
  const found = await list<readonly LogLine[]>(kv, { prefix: logKey(id) });
  return found.map(({ value }) => value);
}

type LogWrite = Pick<Write, "sets" | "deletes" | "bytes">;

/** The name of a segment: the number of its first line. */
function numberOf(segment: readonly LogLine[]): number {
  return segment[0]?.number ?? 0;
}

function isNew(segment: readonly LogLine[], added: readonly LogLine[]): boolean {
  return (segment.at(-1)?.number ?? 0) >= (added[0]?.number ?? Infinity);
}

/** An upper bound of the size of a line in KV: a character outside Latin-1 doubles the text. */
function bytesOf({ text }: LogLine): number {
  return 2 * text.length + LINE_BYTES;
}
