/**
 * The texts of a message that answers repeat: ids, tokens, and the names of what it is about. They stay short, so that no
 * answer grows too large by them, and well formed, so that they come back as they were.
 *
 * @module
 */
import { type JSONRPCMessage, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";
import { isObject } from "../../json.ts";

/** The longest of them, in UTF-16 units. */
export const MAX_NAME = 16_384;

/** The name of the first of these texts that cannot be repeated. */
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
