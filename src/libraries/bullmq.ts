/**
 * BullMQ and ioredis, as one module to import when a backend connects. In a program without a lock file, Deno 2.9 often does
 * not find `bullmq` at run time, unless one module imports `ioredis`, its peer, and then `bullmq`.
 *
 * @module
 */
import { Redis } from "ioredis";
import * as bullmq from "bullmq";

export { bullmq, Redis };
