/**
 * Transcripts: files that are both the script of a conversation and its recording. See transcripts/operation.txt.
 *
 * @module
 */
import { envelope, TASKS } from "./modern.ts";
import type { Pipe } from "./pipe.ts";
import type { Fields, Message } from "./wire_message.ts";

const TASK_ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A message with more characters than this is written on several lines. */
const LONG = 1_000;

/** Plays a transcript's script against the server, and returns the transcript as it is now. */
export async function replay(transcript: string, pipes: Readonly<Record<string, Pipe>>): Promise<string> {
  let [pipe] = Object.values(pipes);
  const names = new Names();
  const written = new Set<Message>();
  const lines: string[] = [];
  const write = (message: Message) => {
    written.add(message);
    lines.push(...names.hide(show(message)).split("\n").map((line) => `< ${line}`));
  };

  for (const line of transcript.trimEnd().split("\n")) {
    if (line.startsWith("<")) continue;
    lines.push(line);
    if (line.startsWith("@ ")) pipe = pipes[line.slice(2)];
    if (pipe === undefined) throw new Error(`There is no pipe for ${line}`);
    const [sign, text] = [line.slice(0, line.indexOf(" ")), names.restore(line.slice(line.indexOf(" ") + 1))];
    if (sign === ">" || sign === ">>") await pipe.line(text);
    if (sign === ">") {
      const id = idOf(text);
      if (id !== undefined) write(await pipe.next((message) => !written.has(message) && message.id === id));
    }
    if (sign === "=") {
      const found = await pipe.next((message) => !written.has(message) && fits(message, JSON.parse(text)));
      // Earlier notifications belong to the recording, too.
      const before = pipe.messages.slice(0, pipe.messages.indexOf(found));
      for (const message of before) if (message.method !== undefined && !written.has(message)) write(message);
      write(found);
    }
  }
  return lines.join("\n") + "\n";
}

/** The first difference of two transcripts, with the lines around it; nothing if there is none. */
export function difference(expected: string, actual: string): string | undefined {
  if (expected === actual) return undefined;
  const [before, now] = [expected.split("\n"), actual.split("\n")];
  const at = before.findIndex((line, index) => line !== now[index]);
  const first = at < 0 ? before.length : at;
  const mark = (sign: string, lines: readonly string[]) =>
    lines.slice(first, first + 5).map((line) => `${sign} ${line}`);
  return [
    `The conversation has changed in line ${first + 1}.`,
    ...before.slice(Math.max(0, first - 3), first).map((line) => `  ${line}`),
    ...mark("-", before),
    ...mark("+", now),
  ].join("\n");
}

/** Task ids differ from run to run; in the file they are numbered. */
class Names {
  readonly #ids: string[] = [];

  hide(text: string): string {
    return text.replaceAll(TASK_ID, (id) => {
      if (!this.#ids.includes(id)) this.#ids.push(id);
      return `$${this.#ids.indexOf(id) + 1}`;
    });
  }

  restore(text: string): string {
    return text.replaceAll(
      /"\$(with_tasks|without_tasks|with_pages)"/g,
      (_, what) => JSON.stringify(envelope(DECLARED[what])),
    )
      .replaceAll(/\$(\d+)/g, (name, number) => this.#ids[Number(number) - 1] ?? name);
  }
}

/** What a 2026-07-28 client declares, by the name of its `_meta` in a script. */
const DECLARED: Fields = { with_tasks: TASKS, with_pages: { elicitation: { form: {}, url: {} } }, without_tasks: {} };

/** A message as text, without what differs from run to run. */
function show(message: Message): string {
  const hide = (key: string, value: unknown): unknown => {
    if (key === "createdAt" || key === "lastUpdatedAt") return "$time";
    if (key === "ttl") return "$ttl";
    if (key === "ttlMs") return "$ttlMs";
    if (key === "pollInterval" || key === "pollIntervalMs") return `$${key}`;
    // One job is enough, and the tools that all share.
    if (key === "tools" || key === "resourceTemplates") {
      if (Array.isArray(value)) return value.map((one) => isSample(one) ? one : one.name);
    }
    return value;
  };
  const short = JSON.stringify(message, hide);
  return short.length > LONG ? JSON.stringify(message, hide, 2) : short;
}

function isSample({ name }: Fields): boolean {
  return /^(steps|task)(_| |$)/.test(name);
}

/** The id of the request in a line; none for a notification. */
function idOf(line: string): string | number | null | undefined {
  try {
    const value = JSON.parse(line);
    return Array.isArray(value) ? null : value.id;
  } catch {
    return null;
  }
}

/** Whether a message has at least these fields. */
function fits(message: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null) return message === part;
  if (typeof message !== "object" || message === null) return false;
  return Object.entries(part).every(([key, value]) => fits(Reflect.get(message, key), value));
}
