/**
 * The backend on Deno KV: durable, needs no service, and is shared by any number of processes of one machine.
 *
 * @module
 */
import type { BackendOptions, WorkHandle, WorkOptions } from "../../backend.ts";
import { BackendError, DefinitionError } from "../../errors.ts";
import { type OnError, reporterOf } from "../../log/on_error.ts";
import { callback, checkOptions, required, type Rules, text, wholeNumber } from "../../options.ts";
import { LONGEST_TIMER_MS } from "../../waiting.ts";
import { messageOf } from "../../text.ts";
import { refuseFormat, refuseMade } from "../shared/refusals.ts";
import { OrderedHub } from "../shared/store/ordered_hub.ts";
import { StoreBackend } from "../shared/store/backend.ts";
import { Sweeper } from "../shared/sweeper.ts";
import { sweepBlobs } from "./values/blobs.ts";
import { Committer } from "./committer.ts";
import { EventLog } from "./events.ts";
import { checkPath, KvFile, makeFile } from "./file.ts";
import { FORMAT, formatKey } from "./keys.ts";
import { sweepCounters } from "./operating/counts.ts";
import { untilUnlocked } from "./reading.ts";
import { KvStore } from "./store.ts";

/** What {@linkcode DenoKvBackend.open} takes. */
export interface DenoKvOptions extends BackendOptions {
  /** The KV file. It is created with its folder if it does not exist. Wake files are kept beside it, in `<path>.wake/`. */
  readonly path: string;
  /** After how long a silent worker counts as dead, in ms; default 10,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
}

const OPTIONS: Rules<DenoKvOptions> = {
  path: required(text),
  lease: wholeNumber(300, LONGEST_TIMER_MS),
  onError: callback,
};

/** The most tasks that one worker runs at once: one KV value lists them all. */
const MAX_CONCURRENCY = 200;

/** How often unused pieces of large texts and counters of expired tasks are deleted, in ms. KV expires the rest itself. */
const SWEEP_MS = 60_000;

/** The pause after a full page, in ms, so that other processes can write. */
const SWEEP_PAUSE_MS = 50;

/**
 * Queues and stores tasks in a Deno KV file. Needs the flag `--unstable-kv`.
 *
 * @example
 * ```ts
 * import { DenoKvBackend } from "@mcp-jobs/mcp-jobs";
 * const folder = await Deno.makeTempDir();
 * await using backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
 * ```
 */
export class DenoKvBackend extends StoreBackend {
  private constructor(store: KvStore, hub: OrderedHub, opened: AsyncDisposable, onError: OnError) {
    refuseMade(store instanceof KvStore, "DenoKvBackend.open({ path })");
    super(store, hub, opened, { onError });
  }

  /**
   * Opens the file. Rejects with `BackendError` if it cannot be opened, or if Deno runs without `--unstable-kv`, and with
   * `DefinitionError` for an invalid path or `lease`.
   */
  static async open(options: DenoKvOptions): Promise<DenoKvBackend> {
    checkOptions("DenoKvBackend.open", options, OPTIONS);
    const { path, lease = 10_000 } = options;
    const onError = reporterOf(options.onError);
    if (typeof Deno.openKv !== "function") {
      throw new BackendError(
        'Cannot open Deno KV: run deno with --unstable-kv, or put "unstable": ["kv"] into deno.json.',
      );
    }
    checkPath(path);
    const opened = new AsyncDisposableStack();
    try {
      await makeFile(path);
      const kv = await untilUnlocked(() => Deno.openKv(path)); // Processes that start together may all create the file.
      opened.defer(() => kv.close());
      await checkFormat(kv);
      const hub = new OrderedHub();
      const file = new KvFile(path, () => hub.event({ kind: "gap" })); // Waiting calls reread their task, and reject with `StoreLost`.
      const checkUsable = () => file.check();
      const writer = crypto.randomUUID();
      const log = opened.use(await EventLog.open(kv, path, { writer, listener: hub, check: checkUsable, onError }));
      const committer = new Committer(
        kv,
        writer,
        (...committed) => log.wake(hub.written(...committed).size > 0),
        () => file.checkNow(),
      );
      opened.defer(() => committer.drained());
      opened.use(
        new Sweeper({
          what: "delete what the KV file no longer needs",
          every: SWEEP_MS,
          page: () => sweep(kv, committer, Date.now()),
          pause: SWEEP_PAUSE_MS,
          onError,
        }),
      );
      return new DenoKvBackend(new KvStore(kv, committer, { lease, checkUsable }), hub, opened, onError);
    } catch (cause) {
      await opened.disposeAsync();
      if (cause instanceof DefinitionError) throw cause;
      throw new BackendError(`Cannot open the KV file ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  /** Starts to claim and run tasks. Throws `DefinitionError` if more than 200 are to run at once. */
  override work(options: WorkOptions): WorkHandle {
    const { concurrency } = options;
    if (concurrency > MAX_CONCURRENCY) {
      throw new DefinitionError(
        `Cannot run ${concurrency} tasks at once on Deno KV: ${MAX_CONCURRENCY} is the most. Start another worker.`,
      );
    }
    return super.work(options);
  }
}

/** Rejects for a file in another format. A new one gets ours. */
async function checkFormat(kv: Deno.Kv): Promise<void> {
  const { value } = await untilUnlocked(() => kv.get(formatKey()));
  if (value === null) await untilUnlocked(() => kv.set(formatKey(), FORMAT));
  else refuseFormat(value, FORMAT);
}

/** Deletes a page of each kind. Resolves with whether there may be more. */
async function sweep(kv: Deno.Kv, committer: Committer, now: number): Promise<boolean> {
  const more = await Promise.all([sweepBlobs(kv, committer, now), sweepCounters(kv, committer, now)]);
  return more.includes(true);
}
