import type { Call } from './history.ts';
import { limits } from './limits.ts';

/**
 * Histories as text: one JSON object a line, one line a call. What JSON cannot say is tagged: `{"$bigint":"12"}`,
 * `{"$bytes":"00ff"}` (hexadecimal). Integers beyond 2^53 must be bigints on both sides: a number that JSON would
 * round is refused, because a rounded revision is another revision.
 */
export function writeHistory<Operation, Result>(calls: readonly Call<Operation, Result>[]): string {
  let text = '';
  for (const call of calls) text += `${JSON.stringify(encode(call, `call ${call.id}`))}\n`;
  return text;
}

/**
 * The inverse of {@link writeHistory}. Throws with the line number on anything that is not a history. Operations and
 * results are trusted to be what the caller wrote.
 */
export function readHistory<Operation, Result>(text: string): Call<Operation, Result>[] {
  const calls: Call<Operation, Result>[] = [];
  let lineNumber = 0;
  for (const line of text.split('\n')) {
    lineNumber += 1;
    if (line === '') continue;
    calls.push(readCall<Operation, Result>(line, lineNumber, calls.length));
  }
  return calls;
}

function readCall<Operation, Result>(
  line: string,
  lineNumber: number,
  expectedId: number,
): Call<Operation, Result> {
  const where = `line ${lineNumber}`;
  if (line.length > limits.historyLineCharacters) throw new Error(`${where} is too long`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (error) {
    throw new Error(`${where} is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const call = decode(parsed, where);
  if (!isCall<Operation, Result>(call)) throw new Error(`${where} is not a call of a history`);
  if (call.id !== expectedId) throw new Error(`${where} holds call ${call.id}, expected ${expectedId}`);
  return call;
}

function isCall<Operation, Result>(value: unknown): value is Call<Operation, Result> {
  if (!isRecord(value) || !isRecord(value['outcome'])) return false;
  const { outcome } = value;
  const ended = outcome['type'] === 'returned' || outcome['type'] === 'failed';
  return (
    Number.isSafeInteger(value['id']) &&
    Number.isSafeInteger(value['client']) &&
    typeof value['calledAt'] === 'number' &&
    'operation' in value &&
    (ended ? typeof outcome['at'] === 'number' : outcome['type'] === 'unknown') &&
    (outcome['type'] !== 'returned' || 'result' in outcome) &&
    (outcome['type'] === 'returned' || typeof outcome['reason'] === 'string')
  );
}

function encode(value: unknown, where: string): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'number') return exactNumber(value, where);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return { $bytes: hexadecimal(value) };
  if (Array.isArray(value)) return value.map((element: unknown) => encode(element, where));
  if (!isRecord(value)) throw new Error(`${where}: ${typeof value} cannot be written`);
  const encoded: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key.startsWith('$')) throw new Error(`${where}: the name ${key} is reserved`);
    if (field !== undefined) encoded[key] = encode(field, where);
  }
  return encoded;
}

function decode(value: unknown, where: string): unknown {
  if (typeof value === 'number') return exactNumber(value, where);
  if (Array.isArray(value)) return value.map((element: unknown) => decode(element, where));
  if (!isRecord(value)) return value;
  if ('$bigint' in value) return decodeBigint(value['$bigint'], where);
  if ('$bytes' in value) return bytesOf(value['$bytes'], where);
  const decoded: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key.startsWith('$')) throw new Error(`${where}: unknown tag ${key}`);
    decoded[key] = decode(field, where);
  }
  return decoded;
}

function exactNumber(value: number, where: string): number {
  // Fractions (milliseconds) are fine below 2^53; above it every double is an integer, perhaps a rounded one.
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new Error(`${where}: ${value} is not exact, write it as a bigint`);
  }
  return value;
}

function decodeBigint(value: unknown, where: string): bigint {
  if (typeof value !== 'string' || !/^-?\d+$/.test(value)) throw new Error(`${where}: not a bigint`);
  return BigInt(value);
}

function hexadecimal(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

function bytesOf(value: unknown, where: string): Uint8Array {
  if (typeof value !== 'string' || !/^([0-9a-f]{2})*$/.test(value)) throw new Error(`${where}: not bytes`);
  const bytes = new Uint8Array(value.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(value.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
