import { FlotillaError } from './errors.ts';

/**
 * States what must be true. Assertions stay on in production: a member that finds one broken stops, because going on
 * could lose data. The message is built only when the assertion fails.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) {
    throw new FlotillaError(
      'FLOTILLA_ASSERTION',
      `assertion failed: ${typeof message === 'string' ? message : message()}`,
    );
  }
}

/** Marks the branch that exhaustive handling of a closed union can never reach. */
export function unreachable(value: never): never {
  throw new FlotillaError('FLOTILLA_ASSERTION', `unreachable: ${JSON.stringify(value)}`);
}

/** `value`, asserted to be there. */
export function present<T>(value: T | null | undefined, what: string): T {
  assert(value !== null && value !== undefined, () => `${what} must be present`);
  return value;
}
