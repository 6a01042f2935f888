import { describe, expect, it } from 'vitest';
import { run, scripts } from './scripts.ts';

describe('histories that broke somebody’s Raft', () => {
  for (const [name, play] of Object.entries(scripts)) it(name, play);

  it('are all played by the scenario', () => {
    expect(run().violation).toBeNull();
  });
});
