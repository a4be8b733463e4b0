/**
 * The environment variable with a folder that the processes of one `deno task test` share, and that is deleted with it.
 *
 * @module
 */
export const SHARED_FOLDER = "MCP_JOBS_TESTS_FOLDER";
