/**
 * JSON pointers (RFC 6901): the paths of fields, and references of a schema to places in its own document.
 *
 * @module
 */
import { isObject } from "../json.ts";
import type { Json } from "../task.ts";

/** Decodes the escapes of one step of a pointer. */
export function unescape(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** What a reference within a document means; `undefined` for one that leads nowhere, or to another document. */
export function placeOf(reference: string, root: Json): Json | undefined {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  return decoded(reference).split("/").slice(1).map(unescape).reduce<Json | undefined>((at, step) => {
    if (Array.isArray(at)) return at[Number(step)];
    return isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }, root);
}

/** A pointer in a URI is percent-encoded, but not every library encodes its references. */
function decoded(reference: string): string {
  try {
    return decodeURIComponent(reference);
  } catch {
    return reference; // It has a percent sign of its own.
  }
}
