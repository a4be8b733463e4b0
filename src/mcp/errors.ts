/**
 * Turns our errors into JSON-RPC errors.
 *
 * @module
 */
import {
  INTERNAL_ERROR,
  INVALID_PARAMS,
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
} from "@modelcontextprotocol/server";
import {
  BackendError,
  InvalidInput,
  InvalidValue,
  JobFault,
  JobsError,
  LimitExceeded,
  StoreLost,
  TaskFinished,
  TaskNotFound,
  TaskNotReady,
} from "../errors.ts";
import type { OnError } from "../log/on_error.ts";
import { cutToFit, messageOf } from "../text.ts";

/** Ours: JSON-RPC leaves -32000 to -32099 to servers, and MCP claims those from -32020 on. */
const LIMIT_EXCEEDED = -32005;

const STORE_FAILED = "The server's store failed. Try again later. The server's log has the reason.";

/** 2026-07-28: the client has to declare a capability. */
export const MISSING_CAPABILITY: number = ProtocolErrorCode.MissingRequiredClientCapability;

/**
 * Gives an error its JSON-RPC code, and a text that fits into a message. An error that the caller can correct is "invalid
 * params" (2025-11-25, Tasks, "Protocol Errors"). An error that is not one of ours is a defect: `onError` receives it, and
 * the caller learns only that there was an internal error. It also receives the errors of the store. Their texts may name
 * hosts, users and paths, so callers only learn that the store failed, or that it has lost its tasks.
 */
export function toProtocolError(error: unknown, onError: OnError): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const message = cutToFit(messageOf(error));
  if (error instanceof JobFault) return new ProtocolError(error.code, message);
  if (error instanceof LimitExceeded) return limitError(error);
  const correctable = [TaskNotFound, TaskNotReady, TaskFinished, InvalidInput, InvalidValue];
  if (correctable.some((kind) => error instanceof kind)) return new ProtocolError(INVALID_PARAMS, message);
  const isFromStore = error instanceof BackendError;
  if (isFromStore || isDefect(error)) onError(error, { where: "answer a request" });
  if (isFromStore && !(error instanceof StoreLost)) return new ProtocolError(INTERNAL_ERROR, STORE_FAILED);
  if (error instanceof JobsError) return new ProtocolError(INTERNAL_ERROR, message);
  return new ProtocolError(INTERNAL_ERROR, "Internal error.");
}

/** Serves a request; errors become JSON-RPC errors, as `toProtocolError` says. */
export async function withProtocolErrors<T>(onError: OnError, serve: () => Promise<T>): Promise<T> {
  try {
    return await serve();
  } catch (error) {
    throw toProtocolError(error, onError);
  }
}

/** A request that its client gave up rejects with an error of the SDK, or with the client's reason: no defect. */
function isDefect(error: unknown): boolean {
  const known = error instanceof JobsError || error instanceof SdkError;
  return error instanceof Error && !known && error.name !== "AbortError";
}

/** Gives the error of a limit its JSON-RPC code, and says after which time to try again. */
export function limitError(error: LimitExceeded): ProtocolError {
  const { limit, retryAfter } = error;
  const data = { limit, ...(retryAfter && { retryAfterMs: retryAfter }) };
  return new ProtocolError(LIMIT_EXCEEDED, cutToFit(error.message), data);
}
