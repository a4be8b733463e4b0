/**
 * Changes documents, whatever others write at the same moment.
 *
 * @module
 */
import type { DocumentStore } from "../contract/stores.ts";

/**
 * Replaces the text of a document by what `change` makes of it; `undefined`: there is no document. It is called again if
 * another process was faster. Resolves with whether there was one.
 */
export async function changeDocument(
  documents: Pick<DocumentStore, "read" | "write">,
  name: string,
  change: (text: string | undefined) => string | undefined,
): Promise<boolean> {
  while (true) {
    const before = await documents.read(name);
    const after = change(before);
    if (before === after || await documents.write(name, before, after)) return before !== undefined;
  }
}
