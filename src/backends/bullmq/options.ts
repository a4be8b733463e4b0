/**
 * What a backend on BullMQ is opened with.
 *
 * @module
 */
import type { BackendOptions } from "../../backend.ts";
import { callback, required, type Rules, text, wholeNumber } from "../../options.ts";
import { LONGEST_TIMER_MS } from "../../waiting.ts";

/** What `BullMqBackend.connect` takes. */
export interface BullMqOptions extends BackendOptions {
  /** The Redis, as `redis://user:password@host:port/database`, or `rediss://` with TLS. */
  readonly redis: string;
  /** The prefix of BullMQ's keys; default `bull`, as in BullMQ itself. Our keys begin with `<prefix>:mcp-jobs:`. */
  readonly prefix?: string;
  /** After how long a silent worker counts as dead, in ms; default 5,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
}

/** The rules of these options. */
export const OPTIONS: Rules<BullMqOptions> = {
  redis: required(text),
  prefix: text,
  lease: wholeNumber(300, LONGEST_TIMER_MS),
  onError: callback,
};
