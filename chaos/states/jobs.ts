/** The jobs of a lane: the same code, of which one job is parked as soon as it asks, and the other never. */
import type { Job } from "../../mod.ts";
import { approval } from "../approval/job.ts";

/** The names of a lane's jobs. */
export const parking = (lane: string): string => `parking_${lane}`;
export const patient = (lane: string): string => `patient_${lane}`;

/** The jobs of a lane. */
export function jobsOf(lane: string): readonly Job[] {
  return [approval(parking(lane), 0), approval(patient(lane), Infinity)];
}
