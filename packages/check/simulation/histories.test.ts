import { describe, expect, it } from 'vitest';
import { run } from './histories.ts';

describe('the checkers', () => {
  it('accept correct histories and agree with the definitions on others', () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      expect({ seed, ...run(seed) }).toEqual({ seed, violation: null });
    }
  });
});
