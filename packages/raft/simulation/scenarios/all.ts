import { elections } from './election.ts';
import type { LabScenario } from './lab-result.ts';
import { persistences } from './persistence.ts';
import { replications } from './replication.ts';

/** Every scenario, in the order of the catalogue. */
export const scenarios: readonly LabScenario[] = [...elections, ...replications, ...persistences];
