/**
 * Counts how often a job has lost its worker at one place, as `lossesOf` in shared/changes/losses.ts does, and stores when it
 * lost the last one.
 *
 * @module
 */
import { MAX_STEPS } from "../../../../../steps/recorded_steps.ts";
import { type Losses, MAX_CRASHES } from "../../../../shared/record.ts";
import { workerDiedTooOften } from "../../../../shared/texts.ts";

/** The field of BullMQ's job that has these counts. */
export const LOSSES = "mcp-jobs:losses";

/** The counts, and the name of the last step that was recorded by then. */
export type StoredLosses = Partial<Losses> & { readonly step?: string };

/** The error of a task whose workers died too often. Without counts of ours, as of a worker of others, it goes by all deaths. */
export function tooManyDeaths({ crashes = 0, step }: StoredLosses, stalled: number): string {
  return crashes < MAX_CRASHES ? workerDiedTooOften(stalled) : workerDiedTooOften(crashes, step);
}

/**
 * Lua that counts one more loss of a job, `crashes` or `handBacks`. Returns how many there were at this place. Needs `NAMES`
 * and `CLOCK`.
 */
export const COUNT_LOSS = `
local function countLoss(bull, queue, id, kind)
  local key, steps = bull .. queue .. ":" .. id, stepsOf(queue, id)
  local recorded, last = 0, false
  for index = 0, redis.call("EXISTS", steps) * ${MAX_STEPS} - 1 do
    if redis.call("HEXISTS", steps, index) == 1 then recorded, last = recorded + 1, index end
  end
  waitsSince(id, clock())
  local answered = redis.call("HGET", record(id), "answered")
  if answered then recorded = recorded + #cjson.decode(answered) / 2 end
  local losses = cjson.decode(redis.call("HGET", key, "${LOSSES}") or "{}")
  if recorded > (losses.recorded or 0) then losses = {} end
  losses.recorded = recorded
  losses[kind] = (losses[kind] or 0) + 1
  local isRead, step = pcall(cjson.decode, last and redis.call("HGET", steps, last))
  losses.step = isRead and step.name or nil
  redis.call("HSET", key, "${LOSSES}", cjson.encode(losses))
  return losses[kind]
end
`;
