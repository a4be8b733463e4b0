/**
 * Cases: the streams of HTTP sessions.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import { newTaskId } from "../../../ids.ts";
import type { Cases } from "../../stage.ts";

const HOUR = 3_600_000;

export const streams: Cases = {
  "the messages of a stream are read in order after each of them, on every connection, until the stream is cleared":
    async (stage) => {
      const { streams } = stage.backend;
      const { streams: others } = await stage.connect();
      if (streams === undefined || others === undefined) return; // Then the server keeps them in memory.
      const events = ["one", '"é 💥"', "x".repeat(200_000), "four"].map((text) => ({ id: newTaskId(), text }));
      // Those that are kept for longer come first all the same.
      for (const [index, event] of events.entries()) await streams.append("a", event, HOUR - 60_000 * index);
      const same = { id: events[0]?.id ?? "", text: "the same id, in another stream" };
      for (const name of ["a b", "A"]) await others.append(name, same, HOUR);
      for (const one of [streams, others]) {
        deepStrictEqual(await one.readAfter("a", ""), events);
        for (const [index, { id }] of events.entries()) {
          deepStrictEqual(await one.readAfter("a", id), events.slice(index + 1));
        }
        deepStrictEqual(await one.readAfter("nobody's", ""), []);
      }
      await others.clear("a");
      for (const one of [streams, others]) {
        deepStrictEqual(await one.readAfter("a", ""), []);
        for (const name of ["a b", "A"]) deepStrictEqual(await one.readAfter(name, ""), [same]);
      }
    },
};
