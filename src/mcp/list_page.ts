/**
 * The lists of a server, in pages where one message cannot carry a whole list (2025-11-25, "Pagination").
 *
 * @module
 */
import { INVALID_PARAMS, ProtocolError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { piecesOf, quote } from "../text.ts";

/** What the SDK's own handlers list. */
export const Listed: z.ZodDefault<z.ZodArray<z.ZodUnknown>> = z.array(z.unknown()).default([]);

/** One page of a list, and the cursor of the next one: its number, counted from 0. The first page needs no cursor. */
export function pageOf<T>(
  items: readonly T[],
  cursor: string | undefined,
): { readonly page: readonly T[]; readonly nextCursor?: string } {
  const pages = piecesOf(items);
  const number = Number(cursor ?? 0);
  const page = /^(0|[1-9]\d*)$/.test(cursor ?? "0") ? pages[number] : undefined;
  if (page === undefined) {
    throw new ProtocolError(
      INVALID_PARAMS,
      `There is no page ${quote(cursor ?? "")} of this list: begin again without a cursor.`,
    );
  }
  return { page, ...(number + 1 < pages.length && { nextCursor: `${number + 1}` }) };
}
