/**
 * The jobs, and how they did in the last hour.
 *
 * @module
 */
import type { Operator } from "../../contract/operator.ts";
import type { Samples } from "../samples.ts";
import type { View } from "./view.ts";

/** The overview. Counting all tasks costs the store more than reading a page of them, so it follows once a second. */
export function overview(operator: Operator, samples: Samples): View {
  return {
    pause: 1_000,
    period: 5_000,
    observe: () => true,
    async read() {
      const [jobs, workers] = await Promise.all([operator.counts(), operator.workers()]);
      const { since, all } = samples;
      return { view: "overview", now: Date.now(), jobs, samples: all, since, workers: workers.length };
    },
  };
}
