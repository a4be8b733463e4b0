/**
 * Makes a message readable for clients just before it is sent, whatever it contains.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { wellFormed } from "../../json.ts";
import { cutToFit, fits } from "../../text.ts";

/** A message of well-formed text, since Python reads no other. An error that repeats a large input is shortened. */
export function sendable(message: JSONRPCMessage): JSONRPCMessage {
  const whole = wellFormed(message);
  if (!("error" in whole) || fits(whole.error)) return whole;
  const { code, message: why } = whole.error;
  return { ...whole, error: { code, message: cutToFit(why) } };
}
