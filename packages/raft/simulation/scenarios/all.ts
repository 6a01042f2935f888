import { beyond } from './beyond.ts';
import { topologies } from './cloudflare.ts';
import { elections } from './election.ts';
import type { LabScenario } from './lab-result.ts';
import { persistences } from './persistence.ts';
import { replications } from './replication.ts';
import { schedules } from './schedules.ts';
import { snapshots } from './snapshots.ts';

/** Every scenario; the numbers are the catalogue's. */
export const scenarios: readonly LabScenario[] = [
  ...elections,
  ...replications,
  ...persistences,
  ...snapshots,
  ...schedules,
  ...beyond,
  ...topologies,
];
