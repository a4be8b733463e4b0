/**
 * What one open page shows, as the server keeps it for that browser.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import type { Shown } from "../wire.ts";

/** What a browser has open. */
export interface View {
  /** The least time between two readings, in ms. */
  readonly pause: number;
  /** How often it is read even without an event, in ms. */
  readonly period: number;
  /** Takes in an event. Returns whether it changes what is shown. */
  observe(event: TaskEvent): boolean;
  /** Reads all that is shown now. Rejects with `BackendError` while the store fails. */
  read(): Promise<Shown>;
}

/** How often a page of what changes with tasks is sent at most, in ms: more often than a person sees. */
export const FRAME_MS = 100;
