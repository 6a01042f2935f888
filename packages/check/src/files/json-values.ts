/** What JSON cannot say is tagged: `{"$bigint":"12"}`, `{"$bytes":"00ff"}`. Numbers that it would round are refused. */
export function encodeValue(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'number') return exactNumber(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return { $bytes: hexadecimal(value) };
  if (Array.isArray(value)) return value.map((element: unknown) => encodeValue(element));
  if (!isRecord(value)) throw new Error(`${typeof value} cannot be written`);
  const encoded: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key.startsWith('$')) throw new Error(`the name ${key} is reserved`);
    if (field !== undefined) encoded[key] = encodeValue(field);
  }
  return encoded;
}

/** The inverse of {@link encodeValue}, of what `JSON.parse` gave. Throws in words on what it does not know. */
export function decodeValue(value: unknown): unknown {
  if (typeof value === 'number') return exactNumber(value);
  if (Array.isArray(value)) return value.map((element: unknown) => decodeValue(element));
  if (!isRecord(value)) return value;
  if ('$bigint' in value) return decodeBigint(value['$bigint']);
  if ('$bytes' in value) return bytesOf(value['$bytes']);
  const decoded: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key.startsWith('$')) throw new Error(`has the unknown tag ${key}`);
    decoded[key] = decodeValue(field);
  }
  return decoded;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function exactNumber(value: number): number {
  // Fractions (milliseconds) are fine below 2^53; above it every double is an integer, perhaps a rounded one.
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new Error(`holds ${value}, which is not exact: write it as a bigint`);
  }
  return value;
}

function decodeBigint(value: unknown): bigint {
  if (typeof value !== 'string' || !/^-?\d+$/.test(value)) throw new Error('holds what is not a bigint');
  return BigInt(value);
}

function hexadecimal(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^([0-9a-f]{2})*$/.test(value))
    throw new Error('holds what are not bytes');
  const bytes = new Uint8Array(value.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(value.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
