/**
 * What no store of ours takes.
 *
 * @module
 */
import type { NewTask } from "../../backend.ts";
import { DefinitionError, InvalidInput } from "../../errors.ts";
import { isTaskId } from "../../ids.ts";

/** Throws `DefinitionError` for a task that is meant for a queue of others: a store of ours has none. */
export function refuseRoute({ job, route }: NewTask): void {
  if (route === undefined) return;
  throw new DefinitionError(
    `Cannot put a task of ${job} into the queue ${
      JSON.stringify(route.queue)
    }: only BullMqBackend knows queues of others.`,
  );
}

/** Throws `InvalidInput` for the cursor of no page: a page is named after the last task of the one before. */
export function refuseCursor(cursor: string | undefined): void {
  if (cursor === undefined || isTaskId(cursor)) return;
  throw new InvalidInput("cursor", [{ path: "", message: "no page of tasks has it" }]);
}

/** Throws for a task that the server would never make so: whoever stores it has a defect. */
export function refuseNew({ job, owner, resultTtl }: NewTask): void {
  if (owner.length < 1 || owner.length > 128) {
    throw new Error(`Cannot store a task of owner ${JSON.stringify(owner)}: it needs 1 to 128 characters.`);
  }
  if (!(resultTtl >= 0)) {
    throw new Error(`Cannot store a task of ${job} with resultTtl ${resultTtl}: it must be a number of ms from 0.`);
  }
}

/** What is thrown where a second task has the id of another: whoever made it has a defect. */
export function idTaken(id: string): Error {
  return new Error(`Cannot create task ${id}: there is one of this id. Make a new id for each task.`);
}
