/** A time limit for all that is awaited in turn. */

/** Returns a function that awaits, and rejects with `what` once so many ms are over in all. */
export function inTime(ms: number, what: () => string): <T>(done: Promise<T>) => Promise<T> {
  const end = Date.now() + ms;
  return async (done) => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(what())), end - Date.now());
    Deno.unrefTimer(timer); // What is awaited may be given up.
    try {
      return await Promise.race([done, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
}
