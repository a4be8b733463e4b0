/**
 * A Redis of a test's own, and a user whose permissions the test changes.
 *
 * @module
 */
import { Redis } from "ioredis";
import { BullMqBackend } from "../../../mod.ts";
import { noOwnRedis, RedisServer } from "../../../tools/redis_server.ts";
import { testUnless } from "../../support/test_unless.ts";

const USER = "ann";

/** All permissions. */
export const EVERYTHING = ["allkeys", "allchannels", "+@all"];

/** The minimal permissions of docs/bullmq.md, with the keys and the channel of this prefix. */
export async function leastPermissions(prefix: string = "bull"): Promise<readonly string[]> {
  const page = await Deno.readTextFile(new URL("../../../docs/bullmq.md", import.meta.url));
  const [, rules] = page.match(/^user jobs on >password (.*?)^```$/ms) ?? [];
  if (rules === undefined) throw new Error("docs/bullmq.md lists no permissions.");
  return rules.trim().split(/\s+/).map((rule) => rule.replace(/^([~&])bull:/, `$1${prefix}:`));
}

/** The commands that Redis has refused, except those with which ioredis describes itself. */
export async function refusals(admin: Redis): Promise<readonly string[]> {
  const log = await admin.acl("LOG") as readonly (readonly unknown[])[];
  const objects = log.map((entry) => String(entry[entry.indexOf("object") + 1]));
  return objects.filter((object) => object !== "client|setinfo" && object !== "client"); // As Redis 6.2 calls it.
}

/** A Redis with a restricted user. */
export interface Place {
  readonly server: RedisServer;
  /** The administrator's connection. */
  readonly admin: Redis;
  /** The address for the user. */
  readonly url: string;
  /** Changes the user's permissions, at once and for existing connections too. */
  allow(...rules: readonly string[]): Promise<void>;
  /** Connects as the user, with exactly these permissions; `lease` is the backend's option. */
  connect(rules: readonly string[], options?: { readonly lease?: number }): Promise<BullMqBackend>;
}

/** Registers a test with its own Redis, started with these settings. */
export function testAsUser(name: string, run: (place: Place) => Promise<void>, settings: readonly string[] = []): void {
  testUnless(noOwnRedis, `bullmq on Redis: ${name}`, async () => {
    await using server = await RedisServer.start({ settings });
    const admin = new Redis(server.url);
    const url = server.url.replace("redis://", `redis://${USER}:secret@`);
    const allow = async (...rules: readonly string[]) => {
      await admin.acl("SETUSER", USER, ...rules);
    };
    const connect: Place["connect"] = async (rules, options) => {
      await allow("reset", "on", ">secret", ...rules);
      return await BullMqBackend.connect({ redis: url, ...options });
    };
    await run({ server, admin, url, allow, connect }).finally(() => admin.disconnect());
  });
}
