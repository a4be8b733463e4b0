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

/** The references of a schema itself, without those of the schemas inside it. */
export function referencesOf({ $ref, $dynamicRef }: { readonly [keyword: string]: Json }): readonly string[] {
  return [$ref, $dynamicRef].filter((reference) => typeof reference === "string");
}

/** Whether a schema contains itself, or has a reference of which this cannot be said. */
export function isRecursive(root: Json): boolean {
  const open = new Set<Json>();
  const closed = new Set<Json>();
  const leadsBack = (part: Json): boolean => {
    if (typeof part !== "object" || part === null || closed.has(part)) return false;
    if (open.has(part)) return true;
    open.add(part);
    const targets = isObject(part) ? referencesOf(part).map((reference) => placeOf(reference, root)) : [];
    const found = [...targets, ...Object.values(part)].some((next) => next === undefined || leadsBack(next));
    open.delete(part);
    closed.add(part);
    return found;
  };
  return leadsBack(root);
}
