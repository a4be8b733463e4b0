/**
 * A thing that nobody else will do, tried again while it fails.
 *
 * @module
 */

/**
 * Does a thing, and again after each pause, in ms, while it fails. Resolves with whether it was done, or `isOver` says of
 * its error that nothing is left to do.
 */
export async function tryAgain(
  act: () => Promise<unknown>,
  pauses: readonly number[],
  isOver: (error: unknown) => boolean,
): Promise<boolean> {
  for (const pause of [...pauses, undefined]) {
    try {
      await act();
      return true;
    } catch (error) {
      if (isOver(error)) return true;
    }
    if (pause !== undefined) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return false;
}
