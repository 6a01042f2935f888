import { expect, test } from 'vitest';
import { run } from './scripted-run.ts';

test('the histories that a search meets rarely end well', () => {
  expect(run().violation).toBeNull();
});
