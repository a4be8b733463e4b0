/**
 * From our errors to JSON-RPC errors.
 *
 * @module
 */
import { ProtocolError } from "@modelcontextprotocol/server";
import {
  InvalidInput,
  InvalidValue,
  JobFault,
  JobsError,
  TaskFinished,
  TaskNotFound,
  TaskNotReady,
} from "../errors.ts";

const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;

/** Gives an error its JSON-RPC code. What the caller can mend is "invalid params" (2025-11-25, Tasks, "Protocol Errors"). */
export function toProtocolError(error: unknown): Error {
  if (error instanceof ProtocolError) return error;
  if (error instanceof JobFault) return new ProtocolError(error.code, error.message);
  const mendable = [TaskNotFound, TaskNotReady, TaskFinished, InvalidInput, InvalidValue];
  if (mendable.some((kind) => error instanceof kind)) return new ProtocolError(INVALID_PARAMS, messageOf(error));
  if (error instanceof JobsError) return new ProtocolError(INTERNAL_ERROR, error.message);
  return new ProtocolError(INTERNAL_ERROR, `Internal error: ${messageOf(error)}`);
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
