/**
 * Ids, tokens and names of a message, which its answer repeats. They have to be short, or the answer might be too large, and
 * well formed, or they would not come back unchanged.
 *
 * @module
 */
import { type JSONRPCMessage, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import { isObject } from "../../json.ts";

/** The longest such text, in UTF-16 units. */
export const MAX_NAME = 16_384;

/** The field of the first text that cannot be repeated. */
export function unusableName(message: JSONRPCMessage): string | undefined {
  const { id, method, params } = { id: undefined, method: undefined, params: undefined, ...message };
  const { name, uri, taskId, cursor, requestId, _meta } = isObject(params) ? params : {};
  const { progressToken, [PROTOCOL_VERSION_META_KEY]: revision } = isObject(_meta) ? _meta : {};
  const names = {
    id,
    method,
    name,
    uri,
    taskId,
    cursor,
    requestId,
    progressToken,
    [PROTOCOL_VERSION_META_KEY]: revision,
  };
  return Object.entries(names).find(([, text]) => typeof text === "string" && !isUsable(text))?.[0];
}

function isUsable(text: string): boolean {
  return text.length <= MAX_NAME && text.isWellFormed();
}
