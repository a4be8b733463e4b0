/** The stores that a chaos run can stand on. */
import { type Backend, DenoKvBackend } from "../mod.ts";

/** Opens a process's own connection to the store at `place`. */
export function openStore(name: string, place: string): Promise<Backend> {
  if (name === "kv") return DenoKvBackend.open({ path: `${place}/jobs.kv`, lease: 3_000 });
  throw new Error(`There is no backend named ${JSON.stringify(name)}. Choose kv.`);
}
