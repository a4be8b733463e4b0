/**
 * What our own stores refuse.
 *
 * @module
 */
import type { NewTask } from "../../backend.ts";
import { DefinitionError } from "../../errors.ts";
import { isOwner } from "../../ids.ts";
import { owner as ownerRule } from "../../options.ts";

/** Throws `DefinitionError` for a task that is meant for somebody else's queue: our own stores have none. */
export function refuseRoute({ job, route }: NewTask): void {
  if (route === undefined) return;
  throw new DefinitionError(
    `Cannot put a task of ${job} into the queue ${JSON.stringify(route.queue)}: ` +
      "only BullMqBackend knows queues of others.",
  );
}

/** Throws for a task that no server makes: its caller has a defect. */
export function refuseNew({ job, owner, resultTtl, key, unless }: NewTask): void {
  if (!isOwner(owner)) {
    throw new Error(`Cannot store a task of owner ${JSON.stringify(owner)}: it must be ${ownerRule.expected}.`);
  }
  if (!(resultTtl >= 0)) {
    throw new Error(`Cannot store a task of ${job} with resultTtl ${resultTtl}: it must be a number of ms from 0.`);
  }
  if (key !== undefined && unless !== undefined) {
    throw new Error(`Cannot store a task of ${job}: it has \`key\` and \`unless\`. Use one of them.`);
  }
}

/** Throws for data in another format than this code has, which it would misread: another version has stored them. */
export function refuseFormat(found: unknown, known: number): void {
  if (Number(found) === known) return;
  throw new Error(
    `its data have the format ${found}, and this version of mcp-jobs has ${known}. Use the version that stored them, or ` +
      "other data",
  );
}

/** Throws `DefinitionError` for a backend that its caller made with `new`; `how` is the call that opens it. */
export function refuseMade(isOpened: boolean, how: string): void {
  if (!isOpened) throw new DefinitionError(`Cannot make a backend with \`new\`: call ${how}, and await it.`);
}

/** The error for a second task with the same id: its caller has a defect. */
export function idTaken(id: string): Error {
  return new Error(`Cannot create task ${id}: there is one of this id. Make a new id for each task.`);
}
