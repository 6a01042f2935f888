import { expect, it } from 'vitest';
import { ControlRun } from './control-run.ts';

it('whatever was asked for, failed or was cut off, one controller brings it to an end and then rests', () => {
  // In 15 a shard is split while it moves.
  for (const seed of [1, 2, 3, 4, 5, 15]) {
    const run = new ControlRun(seed, 8);
    run.chaos(120);
    for (const { node } of run.model.nodes) run.model.setUp(node, true);
    expect(run.settle(1_500), `seed ${seed} comes to rest`).toBe(true);
    expect(run.complaint(), `seed ${seed}`).toBeNull();
  }
});

it('a node that stays away is replaced everywhere', () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    const run = new ControlRun(seed, 8);
    run.settle(300);
    run.model.setUp(1 + (seed % 8), false);
    expect(run.settle(1_500), `seed ${seed} comes to rest`).toBe(true);
    expect(run.complaint(), `seed ${seed}`).toBeNull();
  }
});

it('a cluster that is as it should be is left alone by every further controller', () => {
  for (let seed = 1; seed <= 2; seed += 1) {
    const run = new ControlRun(seed, 8);
    expect(run.settle(1_500)).toBe(true);
    run.decided = 0;
    for (let i = 0; i < 5; i += 1) expect(run.settle(100)).toBe(true);
    expect(run.decided, `seed ${seed}`).toBe(0);
  }
});
