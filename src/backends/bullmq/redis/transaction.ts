/**
 * Transactions on Redis that are cheap to begin, and that know at any time which scripts Redis has.
 *
 * ioredis copies each script that its connection knows into each transaction; with the 64 of BullMQ that takes 50 µs of
 * processor time. And it sends a script's text once for each connection: whether Redis has forgotten it since, or has
 * refused it then, is told inside a transaction only, where ioredis does not look. So scripts are sent by hand here.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { isFromReplica } from "./connection.ts";

/** A script, as ioredis keeps it for its connection. */
interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly numberOfKeys: number;
}

type Arguments = readonly (string | number)[];

/** What Redis has answered to one of the commands. */
export interface Reply {
  readonly error?: Error;
  readonly value?: unknown;
}

/** Commands that are run with nothing between them. One that fails does not stop the others. */
export interface Transaction {
  /** Adds a script that Redis may not know. The name of BullMQ's for it, so that BullMQ can add its own. */
  runCommand(name: string, args: Arguments): Transaction;
  /** Adds a script that runs whether Redis knows it or not: its text is sent. */
  runText(name: string, args: Arguments): Transaction;
  /** Runs all, and gives the answer to each. Rejects if none was run. */
  exec(): Promise<readonly Reply[]>;
}

/** Whether a script was not run because Redis does not know it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** Gives what begins a transaction on this connection; with `texts` it brings along every script that it runs. */
export function transactionsOn(client: Redis): (options?: { readonly texts: boolean }) => Transaction {
  const withoutScripts: Redis = Object.create(client, { scriptsSet: { value: {} } });
  const { scriptsSet } = client as unknown as { readonly scriptsSet: { readonly [name: string]: Script } };
  return ({ texts } = { texts: false }) => {
    const multi = withoutScripts.multi();
    const sent = new Set<Script>();
    const add = (name: string, args: Arguments, text: boolean) => {
      const script = scriptsSet[name];
      if (script === undefined) throw new Error(`Cannot run script "${name}": it was not defined for this connection.`);
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
          throw error.previousErrors?.[0] ?? error; // The reason why one was refused, and with it all.
        });
        if (replies === null) throw new Error("Redis discarded the transaction.");
        if (replies.some(([error]) => isFromReplica(error ?? undefined))) client.disconnect(true); // ioredis does not look in here.
        return replies.map(([error, value]) => error ? { error } : { value });
      },
    };
    return transaction;
  };
}
