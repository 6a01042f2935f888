import { limits } from './limits.ts';

/**
 * `grpc-message` as it goes over the wire: UTF-8 with everything but printable ASCII, and `%`, as `%XX` (gRPC over
 * HTTP/2, "Responses").
 */
export function encodeGrpcMessage(message: string): string {
  if (!/[^ -$&-~]/.test(message)) return message;
  let encoded = '';
  for (const byte of new TextEncoder().encode(message)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Never fails: what is not valid is kept as it is, as the specification asks. */
export function decodeGrpcMessage(encoded: string): string {
  if (!encoded.includes('%')) return encoded;
  const bytes: number[] = [];
  for (let index = 0; index < encoded.length; index += 1) {
    const hex = encoded.slice(index + 1, index + 3);
    if (encoded[index] === '%' && /^[0-9A-Fa-f]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16));
      index += 2;
    } else bytes.push(...new TextEncoder().encode(encoded[index]));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

const MILLISECONDS_PER_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** `grpc-timeout` in milliseconds with fractions; null when it is malformed. At most eight digits and a unit. */
export function parseGrpcTimeout(text: string): number | null {
  const unit = MILLISECONDS_PER_UNIT[text.slice(-1)];
  const digits = text.slice(0, -1);
  if (unit === undefined || !/^[0-9]{1,8}$/.test(digits)) return null;
  return Math.min(Number(digits) * unit, limits.callTimeoutMsMax);
}

/** The shortest unit that holds `timeoutMs` in eight digits; rounded up, so that no call is cut before its time. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const timeout = Math.max(0, timeoutMs);
  for (const unit of ['n', 'u', 'm', 'S', 'M']) {
    const amount = Math.ceil(timeout / (MILLISECONDS_PER_UNIT[unit] ?? 1));
    if (amount <= 99_999_999) return `${amount}${unit}`;
  }
  return `${Math.min(99_999_999, Math.ceil(timeout / 3_600_000))}H`;
}
