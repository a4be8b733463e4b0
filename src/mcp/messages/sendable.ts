/**
 * The last look at a message before it is sent: whatever it was made of, clients can read it.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { wellFormed } from "../../json.ts";
import { cutToFit, fits } from "../../text.ts";

/** A message in well-formed text, where Python reads no other; an error, which repeats what it was given, is cut. */
export function sendable(message: JSONRPCMessage): JSONRPCMessage {
  const whole = wellFormed(message);
  if (!("error" in whole) || fits(whole.error)) return whole;
  const { code, message: why } = whole.error;
  return { ...whole, error: { code, message: cutToFit(why) } };
}
