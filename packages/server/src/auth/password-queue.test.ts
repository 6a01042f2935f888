import { expect, test } from 'vitest';
import { limits } from '../limits.ts';
import { PasswordQueue } from './password-queue.ts';

/** Ends one check after the other, when it is told to. */
function slowPasswords() {
  const running: { readonly password: string; end(fail?: Error): void }[] = [];
  return {
    running,
    hash: (password: string) => Promise.resolve(`hash of ${password}`),
    verify: (password: string) =>
      new Promise<boolean>((resolve, reject) => {
        running.push({ password, end: (fail) => (fail === undefined ? resolve(true) : reject(fail)) });
      }),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a few passwords are checked at a time, in the order in which they came, also when one fails', async () => {
  const passwords = slowPasswords();
  const queue = new PasswordQueue(passwords);
  const outcomes = ['a', 'b', 'c', 'd', 'e'].map((password) => queue.verify(password, '').catch(String));
  await turn();
  expect(passwords.running.map(({ password }) => password)).toEqual(['a', 'b']);
  passwords.running[0]!.end(new Error('broken'));
  await turn();
  expect(passwords.running.map(({ password }) => password)).toEqual(['a', 'b', 'c']);
  for (let next = 1; next < 5; next += 1) {
    passwords.running[next]!.end();
    await turn();
  }
  expect(await Promise.all(outcomes)).toEqual(['Error: broken', true, true, true, true]);
  const last = queue.verify('f', '');
  await turn();
  passwords.running[5]!.end();
  expect(await last).toBe(true);
});

test('more than may wait are refused', async () => {
  const passwords = slowPasswords();
  const queue = new PasswordQueue(passwords);
  for (let i = 0; i < limits.passwordsAtOnce + limits.passwordsWaiting; i += 1) {
    queue.verify('x', '').catch(() => undefined);
  }
  await expect(queue.verify('x', '')).rejects.toThrow('etcdserver: too many requests');
});

test('a password that bcrypt would cut is refused', async () => {
  const queue = new PasswordQueue(slowPasswords());
  expect(await queue.hash('x'.repeat(72))).toBe(`hash of ${'x'.repeat(72)}`);
  await expect(queue.hash('x'.repeat(73))).rejects.toThrow('bcrypt: password length exceeds 72 bytes');
  await expect(queue.hash('ü'.repeat(37))).rejects.toThrow('bcrypt: password length exceeds 72 bytes');
});
