import { expect, test } from 'vitest';
import { likeGo } from './arguments.ts';

test.each([
  [['-name', 'n1'], ['--name=n1']],
  [['--name=n1'], ['--name=n1']],
  [['--pre-vote'], ['--pre-vote=true']],
  [
    ['--pre-vote', '--name', 'a'],
    ['--pre-vote=true', '--name=a'],
  ],
  [['--pre-vote=f'], ['--pre-vote=false']],
  [['--quota-backend-bytes', '-1'], ['--quota-backend-bytes=-1']],
  [
    ['--nonsense', 'stray'],
    ['--nonsense', 'stray'],
  ],
  [['-h'], ['-h']],
])('%j reads as %j', (given, expected) => {
  expect(likeGo(given)).toEqual(expected);
});

test('a switch takes true or false only', () => {
  expect(() => likeGo(['--pre-vote=maybe'])).toThrow(
    expect.objectContaining({ code: 'FLOTILLA_CONFIGURATION' }),
  );
});
