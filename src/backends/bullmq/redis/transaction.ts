/**
 * Transactions on Redis that are cheap to begin, and that work even if Redis has forgotten scripts.
 *
 * ioredis copies each script of its connection into each transaction; with the 64 of BullMQ that takes 50 µs of
 * processor time. And it sends a script's text once per connection. If Redis has forgotten or refused it, that shows
 * only inside a transaction, where ioredis does not check. So scripts are sent by hand here.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { abortReason, type Script, scriptsOn, withoutScripts } from "../internals.ts";
import { isFromReplica } from "./connection.ts";

type Arguments = readonly (string | number)[];

/** Redis's reply to one of the commands. */
export interface Reply {
  readonly error?: Error;
  readonly value?: unknown;
}

/** Commands that run with nothing in between. A failing one does not stop the others. */
export interface Transaction {
  /** Adds a script that Redis may not know. It is named as BullMQ names it, so that BullMQ can add its own scripts. */
  runCommand(name: string, args: Arguments): Transaction;
  /** Adds a script with its text, so that it runs whether Redis knows it or not. */
  runText(name: string, args: Arguments): Transaction;
  /** Runs all, and resolves with one reply for each. Rejects if none was run. */
  exec(): Promise<readonly Reply[]>;
}

/** Whether a script was not run because Redis does not know it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** Returns a function that begins a transaction on this connection; with `texts` each script is sent with its text. */
export function transactionsOn(client: Redis): (texts: boolean) => Transaction {
  const bare = withoutScripts(client);
  const scriptOf = scriptsOn(client);
  return (texts) => {
    const multi = bare.multi();
    const sent = new Set<Script>();
    const add = (name: string, args: Arguments, text: boolean) => {
      const script = scriptOf(name);
      const { lua, sha, numberOfKeys } = script;
      if (text && !sent.has(script)) multi.eval(lua, numberOfKeys, ...args);
      else multi.evalsha(sha, numberOfKeys, ...args);
      if (text) sent.add(script);
      return transaction;
    };
    const transaction: Transaction = {
      runCommand: (name, args) => add(name, args, texts),
      runText: (name, args) => add(name, args, true),
      async exec() {
        const replies = await multi.exec().catch((error) => {
          throw abortReason(error);
        });
        if (replies === null) throw new Error("Redis discarded the transaction.");
        // ioredis does not check the replies inside a transaction.
        if (replies.some(([error]) => isFromReplica(error ?? undefined))) client.disconnect(true);
        return replies.map(([error, value]) => error ? { error } : { value });
      },
    };
    return transaction;
  };
}
