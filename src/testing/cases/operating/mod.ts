/**
 * Cases: what an operator sees and does.
 *
 * @module
 */
import type { Cases } from "../../stage.ts";
import { counting } from "./counting.ts";
import { listing } from "./listing.ts";
import { pausing } from "./pausing.ts";
import { steering } from "./steering.ts";

/** All of them. */
export const operating: Cases = { ...listing, ...counting, ...steering, ...pausing };
