/**
 * A pause before the next try.
 *
 * @module
 */

/** Resolves after `ms`, or as soon as `unless` does. */
export async function pause(ms: number, unless: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const time = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([time, unless]);
  clearTimeout(timer);
}
