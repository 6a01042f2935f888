import { generatedTape } from '../tape.ts';
import type { Strategy } from './strategy.ts';

/** Every choice at random, evenly: the plain meaning of a seed. */
export function randomStrategy(): Strategy {
  return { name: 'random', seeded: true, next: generatedTape };
}
