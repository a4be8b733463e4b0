import type { MemoryBackend } from "../../mod.ts";

/** With how much grace, in ms, the workers of a backend are stopped from now on, in order. */
export function gracesOf(backend: MemoryBackend): readonly number[] {
  const graces: number[] = [];
  const work = backend.work.bind(backend);
  backend.work = (options) => {
    const handle = work(options);
    const stop = (grace: number) => {
      graces.push(grace);
      return handle.stop(grace);
    };
    return { ready: handle.ready, stop };
  };
  return graces;
}
