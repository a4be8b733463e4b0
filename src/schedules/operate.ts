/**
 * What an operator sees and does of schedules, over the documents of any backend.
 *
 * @module
 */
import type { DocumentStore, ScheduleInfo } from "../backend.ts";
import { changeDocument } from "../operator/documents.ts";
import { infoOf, parse, SCHEDULE, toText, withPause } from "./schedule.ts";

export async function listSchedules(documents: DocumentStore): Promise<readonly ScheduleInfo[]> {
  const found = await documents.list(SCHEDULE);
  return found.map(({ name, text }) => infoOf(name.slice(SCHEDULE.length), parse(text)));
}

/** Pauses a schedule or ends the pause. Resolves with whether there is one of this name. `now` is in ms since the epoch. */
export async function pauseSchedule(
  documents: DocumentStore,
  name: string,
  paused: boolean,
  now: number,
): Promise<boolean> {
  return await changeDocument(documents, SCHEDULE + name, (text) => {
    return text === undefined ? undefined : toText(withPause(parse(text), paused, now));
  });
}

/** Removes a schedule. Resolves with whether there was one. */
export async function removeSchedule(documents: DocumentStore, name: string): Promise<boolean> {
  return await changeDocument(documents, SCHEDULE + name, () => undefined);
}
