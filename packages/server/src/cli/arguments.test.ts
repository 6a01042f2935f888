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

test('a flag of a few values refuses others in the words of etcd', () => {
  expect(likeGo(['--v2-deprecation=gone'])).toEqual(['--v2-deprecation=gone']);
  for (const args of [['--v2-deprecation=not-yet'], ['--v2-deprecation', 'not-yet']]) {
    expect(() => likeGo(args)).toThrow(
      'invalid value "not-yet" for flag -v2-deprecation: invalid value "not-yet"',
    );
  }
});
