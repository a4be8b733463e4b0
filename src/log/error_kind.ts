/**
 * What kind of error it is, for logs and spans that must not quote an input.
 *
 * @module
 */

/** A name of letters that ends like this is one of a kind of errors. */
const KIND = /^[A-Z][A-Za-z]{0,80}(Error|Exception)$/;

/** The name of a class. */
const CLASS = /^[A-Za-z_$][\w$]{0,80}$/;

/**
 * The kind of an error: its name if that is the name of a kind, else its class. Code may set any text as the name of an
 * error, also one of its input.
 */
export function kindOf(error: Error): string {
  try {
    const { name } = error;
    if (typeof name === "string" && KIND.test(name)) return name;
    const className: unknown = Object.getPrototypeOf(error).constructor.name;
    return typeof className === "string" && CLASS.test(className) ? className : "Error";
  } catch {
    // What it says of itself cannot be read.
    return "Error";
  }
}
