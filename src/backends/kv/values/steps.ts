/**
 * The recorded steps of tasks in a KV file: one key for each, and pieces beside it where a step is large.
 *
 * @module
 */
import type { RecordedStep } from "../../../backend.ts";
import { blobOf, claimBlob, dropBlob, readBlob, type Text, writeBlob } from "./blobs.ts";
import type { Committer, Write } from "../committer.ts";
import { stepKey } from "../keys.ts";
import type { KnownSteps } from "../stored.ts";
import { list } from "../reading.ts";
import { MAX_TEXT } from "../value_limits.ts";

export class KvSteps {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;

  constructor(kv: Deno.Kv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
  }

  /** Reads the steps of a task, in the order of their numbers. */
  async read(id: string): Promise<readonly RecordedStep[]> {
    return await Promise.all((await this.#list(id)).map(async ({ key, value }) => {
      const text = "inline" in value ? value.inline : await readBlob(this.#kv, value.blob);
      if (text === undefined) throw new Error(`A piece of step ${Number(key.at(-1))} of task ${id} is missing.`);
      return { index: Number(key.at(-1)), text };
    }));
  }

  /** Writes a step if the task is unchanged, and adds it to `known`. Resolves with whether it was written. */
  async record(
    id: string,
    check: Deno.AtomicCheck,
    { index, text }: RecordedStep,
    known?: KnownSteps,
  ): Promise<boolean> {
    const blob = text.length <= MAX_TEXT ? undefined : await writeBlob(this.#committer, text);
    const value: Text = blob ? { blob } : { inline: text };
    // A commit of it that has failed may have been carried out even so: its pieces go with this one.
    const earlier = known?.get(index);
    known?.set(index, blob);
    const versionstamp = await this.#committer.commit({
      checks: [check],
      sets: [{ key: stepKey(id, index), value }, ...dropBlob(earlier, Date.now())],
      deletes: claimBlob(blob),
      bytes: 200 + (blob ? 0 : 2 * text.length),
    });
    return versionstamp !== null;
  }

  async forget(id: string, from: number, now: number): Promise<void> {
    const gone = new Map([...await this.#find(id)].filter(([index]) => index >= from));
    if (gone.size === 0) return;
    const { sets, deletes } = deletionOf(id, gone, now);
    await this.#committer.commit({ sets, deletes, bytes: 100 * sets.length });
  }

  /**
   * The deletions of all steps of a task. Steps that are not `known` are read first. So are large ones: if the task has changed
   * meanwhile, they may have been recorded again, with other pieces.
   */
  async deletion(
    id: string,
    known: KnownSteps | undefined,
    now: number,
  ): Promise<Deletion> {
    const isCertain = known !== undefined && [...known.values()].every((blob) => blob === undefined);
    return deletionOf(id, isCertain ? known : await this.#find(id), now);
  }

  async #find(id: string): Promise<KnownSteps> {
    const found = await this.#list(id);
    return new Map(found.map(({ key, value }) => [Number(key.at(-1)), blobOf(value)]));
  }

  #list(id: string): Promise<Deno.KvEntry<Text>[]> {
    return list<Text>(this.#kv, { prefix: stepKey(id) });
  }
}

type Deletion = Required<Pick<Write, "sets" | "deletes">>;

function deletionOf(id: string, steps: KnownSteps, now: number): Deletion {
  return {
    sets: [...steps.values()].flatMap((blob) => dropBlob(blob, now)),
    deletes: [...steps.keys()].map((index) => stepKey(id, index)),
  };
}
