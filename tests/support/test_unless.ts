/** A test that is left out if there is a reason for it, which its name then shows. */
export function testUnless(
  reason: string | undefined,
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  Deno.test({ name: reason === undefined ? name : `${name} (left out: ${reason})`, ignore: reason !== undefined, fn });
}
