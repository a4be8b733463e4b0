/**
 * ajv and its formats, as one module to import on first use. In a program without a lock file, Deno 2.9 often does not find
 * `ajv-formats` at run time, unless one module imports `ajv`, its peer, and then `ajv-formats`.
 *
 * @module
 */
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

export { Ajv, Ajv2020 };
export const addFormats: typeof formats.default = formats.default;
