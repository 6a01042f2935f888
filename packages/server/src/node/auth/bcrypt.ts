import { randomInt } from 'node:crypto';
import { hash, verify } from '@node-rs/bcrypt';
import type { Passwords } from '../../auth/adapters.ts';

/** bcrypt on libuv's threads, in the version that Go's bcrypt writes. */
export function bcryptPasswords(cost: number): Passwords {
  return {
    hash: (password) => hash(password, { cost, version: '2a' }),
    verify: (password, stored) => verify(password, stored),
  };
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** etcd's tokens have 16 letters: 91 bits. */
const secretLetters = 16;

/** Unguessable. */
export function randomSecret(): string {
  let secret = '';
  for (let i = 0; i < secretLetters; i += 1) secret += letters[randomInt(letters.length)] as string;
  return secret;
}
