/** A broken assertion of a checker is a bug of the checker (or of the caller), never a verdict on a history. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`assertion failed: ${what} must be present`);
  return value;
}

export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable ${JSON.stringify(value)}`);
}
