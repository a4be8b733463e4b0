/** The backends that are measured, by name. */
import { type Backend, DenoKvBackend, MemoryBackend } from "../mod.ts";

/** Opens a backend; `place` is a folder of this run, shared by its processes. */
export function openBackend(name: string, place: string): Promise<Backend> {
  if (name === "memory") return Promise.resolve(new MemoryBackend());
  if (name === "kv") return DenoKvBackend.open({ path: `${place}/jobs.kv` });
  throw new Error(`There is no backend named ${name}.`);
}
