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

/**
 * What a reference within a document means: a pointer or an anchor, alone or behind the `$id` of the document or of a schema
 * within it. `undefined` for one that leads nowhere, or to another document.
 */
export function placeOf(reference: string, root: Json): Json | undefined {
  const [address = "", fragment = ""] = reference.split("#", 2);
  const document = address === "" ? root : withId(address, root);
  if (document === undefined) return undefined;
  if (fragment !== "" && !fragment.startsWith("/")) return anchored(fragment, document);
  return decoded(fragment).split("/").slice(1).map(unescape).reduce<Json | undefined>((at, step) => {
    if (Array.isArray(at)) return at[Number(step)];
    return isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }, document);
}

/** Where a document lies whose `$id` is relative, or that has none. */
const SOMEWHERE = "schema:///";

/** The schemas with an `$id` in each document, by their addresses: a value may lead to one at each of its parts. */
const addressed = new WeakMap<Json & object, ReadonlyMap<string, Json>>();

/** The schema with this `$id`. It and the reference may be relative: to the `$id` of the document, whatever lies between. */
function withId(address: string, root: Json): Json | undefined {
  if (!isObject(root)) return undefined;
  const base = URL.parse(idOf(root) ?? "", SOMEWHERE)?.href;
  const resolved = (address: string) => URL.parse(address, base)?.href ?? address;
  let found = addressed.get(root);
  if (found === undefined) {
    const parts = [...partsOf(root)].map((part) => [idOf(part), part] as const);
    found = new Map(parts.flatMap(([id, part]) => id === undefined ? [] : [[resolved(id), part]]));
    addressed.set(root, found);
  }
  return found.get(resolved(address));
}

function idOf(part: Json): string | undefined {
  return isObject(part) && typeof part.$id === "string" ? part.$id.replace(/#$/, "") : undefined;
}

/** The part with an anchor. Of several it depends on the value which one is meant. */
function anchored(name: string, root: Json): Json | undefined {
  const [part, other] = [...partsOf(root)].filter((part) =>
    isObject(part) && (part.$anchor === name || part.$dynamicAnchor === name)
  );
  return other === undefined ? part : undefined;
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
  const next = (part: Json & object) => [...targetsOf(part, root), ...Object.values(part)];
  return hasCircle([root], next);
}

/** The keywords whose schemas are for the same value as the schema that has them. */
export const SAME_VALUE: readonly string[] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/** The same for keywords with schemas by name. */
const BY_NAME = ["dependentSchemas", "dependencies"];

/** Whether a schema refers to itself for the same value, so that to check one would never end. */
export function isEndless(root: Json): boolean {
  const next = (part: Json & object) => {
    if (!isObject(part)) return [];
    const targets = targetsOf(part, root).filter((target) => target !== undefined);
    const named = BY_NAME.flatMap((keyword) => Object.values(part[keyword] ?? {}));
    return [...targets, ...named, ...SAME_VALUE.flatMap((keyword) => part[keyword] ?? [])];
  };
  return hasCircle(partsOf(root), next);
}

/** What the references of a part of a schema mean. */
function targetsOf(part: Json & object, root: Json): readonly (Json | undefined)[] {
  return isObject(part) ? referencesOf(part).map((reference) => placeOf(reference, root)) : [];
}

/** A part of a document and those within it, as far as they have parts themselves. */
function* partsOf(part: Json): Iterable<Json> {
  if (typeof part !== "object" || part === null) return;
  yield part;
  for (const inner of Object.values(part)) yield* partsOf(inner);
}

/** Whether a way from one of these parts to the `next` ones leads back to where it was, or to `undefined`. */
function hasCircle(parts: Iterable<Json>, next: (part: Json & object) => readonly (Json | undefined)[]): boolean {
  const open = new Set<Json>();
  const closed = new Set<Json>();
  const leadsBack = (part: Json | undefined): boolean => {
    if (part === undefined) return true;
    if (typeof part !== "object" || part === null || closed.has(part)) return false;
    if (open.has(part)) return true;
    open.add(part);
    const found = next(part).some(leadsBack);
    open.delete(part);
    closed.add(part);
    return found;
  };
  for (const part of parts) if (leadsBack(part)) return true;
  return false;
}
