/**
 * From the body of an HTTP request to one JSON-RPC message.
 *
 * @module
 */
import { isJsonContentType, type JSONRPCMessage, readRequestBody } from "@modelcontextprotocol/server";
import { incomplete, MAX_MESSAGE_BYTES, notJson, readMessage, tooLong } from "./message.ts";

/** Reads the message, or says why there is none. */
export async function readBody(request: Request): Promise<JSONRPCMessage | Response> {
  if (!isJsonContentType(request.headers.get("content-type"))) return Response.json(notJson(), { status: 415 });
  let text: string | undefined;
  try {
    text = await textOf(request);
  } catch {
    // The client is gone, or sends what is no HTTP.
    return Response.json(incomplete(), { status: 400 });
  }
  if (text === undefined) return Response.json(tooLong(), { status: 413 });
  const read = readMessage(text);
  return "message" in read ? read.message : Response.json(read.refusal, { status: 400 });
}

/** The body, unless it is too long. Where its length is announced HTTP ends it there, and nothing has to be counted. */
async function textOf(request: Request): Promise<string | undefined> {
  const length = request.headers.get("content-length");
  const announced = length !== null && !request.headers.has("transfer-encoding");
  if (announced && Number(length) <= MAX_MESSAGE_BYTES) return await request.text();
  const body = await readRequestBody(request, MAX_MESSAGE_BYTES);
  if (!body.tooLarge) return body.text;
  // The rest would stay open, unread.
  await request.body?.cancel();
}
