import type { Operator, TaskInfo } from "../backend.ts";

/** Returns where an operator's counts or lists differ from the stored tasks. */
export async function miscounted(operator: Operator, stored: readonly TaskInfo[]): Promise<readonly string[]> {
  const listed: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await operator.tasks({ cursor, limit: 1_000 });
    listed.push(...page.tasks.map(({ id, revision }) => `${id} ${revision}`));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  const wanted = stored.map(({ id, revision }) => `${id} ${revision}`);
  const wrong = new Set(listed).symmetricDifference(new Set(wanted)).values().map((task) =>
    `listed or stored: ${task}`
  );
  return [...wrong, ...differences(await operator.counts(), stored)];
}

function differences(counted: Awaited<ReturnType<Operator["counts"]>>, stored: readonly TaskInfo[]): readonly string[] {
  const names = (job: string, status: string) => `${job} ${status}`;
  const wanted = Map.groupBy(stored, ({ job, status }) => names(job, status));
  const given = new Map(
    counted.flatMap(({ job, counts }) => Object.entries(counts).map(([status, count]) => [names(job, status), count])),
  );
  return [...new Set([...wanted.keys(), ...given.keys()])].flatMap((name) => {
    const [is, count] = [wanted.get(name)?.length ?? 0, given.get(name) ?? 0];
    return is === count ? [] : `${name}: counted ${count}, stored ${is}`;
  });
}
