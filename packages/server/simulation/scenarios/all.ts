import { generics } from './generic.ts';
import { keyValues } from './key-values.ts';
import type { KvScenario } from './lab-result.ts';
import { locks } from './locks.ts';
import { replicated } from './replicated.ts';
import { retries } from './retries.ts';

/** Every scenario; the numbers are the catalogue's. */
export const scenarios: readonly KvScenario[] = [
  ...replicated,
  ...generics,
  ...keyValues,
  ...retries,
  ...locks,
];
