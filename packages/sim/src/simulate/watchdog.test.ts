import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { simulate } from '../index.ts';

test('what was broken off leaves no asynchronous context behind, which Node would not survive', async () => {
  const storage = new AsyncLocalStorage<string>();
  await storage.run('kept', async () => {
    const stuck = simulate({ seeds: 1, runRealMaxMs: 200, shrinkMs: 0, tapeDirectory: null }, (sim) => {
      sim.node('n1', async () => {
        for (;;) await Promise.resolve();
      });
    });
    await expect(stuck).rejects.toMatchObject({ code: 'FLOTILLA_SIMULATION_STUCK' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(storage.getStore()).toBe('kept');
  });
});
