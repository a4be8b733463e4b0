import { newTaskId } from "../../src/ids.ts";
import { turn } from "../../src/waiting.ts";
import { assertEquals } from "../../tools/std.ts";
import { stopFor } from "../support/processes.ts";
import { onBothUnkilled } from "./support/outage.ts";

const OWNER = "owner";

/** Longer than the database may take for anything. */
const STOP_MS = 6_000;

onBothUnkilled(
  "calls that were under way when their process was stopped are answered once it goes on",
  async (server) => {
    await using backend = await server.connect();
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    const create = () =>
      backend.create({ id: newTaskId(), job: "waits", owner: OWNER, input: {}, resultTtl: 60_000, retry });
    await create();
    // Of so many, some are sent at once, and others wait for their turn.
    const creating = Array.from({ length: 2_000 }, create);
    await turn();
    stopFor(STOP_MS);
    const ends = await Promise.allSettled(creating);
    assertEquals(new Set(ends.flatMap((end) => end.status === "rejected" ? String(end.reason) : [])), new Set());
  },
);
