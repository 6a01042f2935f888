import { Failure } from './failure.ts';
import { limits } from './limits.ts';

/**
 * The one text of a JSON value: without spaces, fields by name. Two values are equal when their texts are, so that a
 * compare of the database compares values.
 *
 * Throws what the client is answered for a number that a double cannot hold, which would be rounded to another one, and
 * for a value that is nested too deep.
 */
export function jsonText(value: unknown): string {
  return textAt(value, 0);
}

function textAt(value: unknown, depth: number): string {
  if (depth > limits.jsonDepth) {
    throw new Failure('malformedRequest', `a value is nested more than ${limits.jsonDepth} deep`);
  }
  if (Array.isArray(value)) return `[${value.map((item) => textAt(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${textAt(field, depth + 1)}`).join(',')}}`;
  }
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new Failure('malformedRequest', `${value} is too large to be kept exactly`);
  }
  return JSON.stringify(value);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A key or value of the database. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function jsonOf(bytes: Uint8Array): unknown {
  return JSON.parse(textOf(bytes));
}
