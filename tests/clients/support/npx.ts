/**
 * Programs of npm packages that tests run often.
 *
 * @module
 */

const found = new Map<string, Promise<string>>();

/**
 * Where npx keeps a program of a package, which it fetches the first time. Started from there, each run takes about half of
 * what it takes with npx.
 */
export function commandOf(packageName: string, program: string): Promise<string> {
  const path = found.get(packageName) ?? fetchWithNpx(packageName, program);
  found.set(packageName, path);
  return path;
}

async function fetchWithNpx(packageName: string, program: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("npx", {
    args: ["-y", "-p", packageName, "-c", `command -v ${program}`],
    stdin: "null",
  }).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  if (!success || !out) throw new Error(`npx cannot fetch ${packageName}: ${out}${errors}`);
  return out;
}
