/** Lexicographic order of unsigned bytes; a prefix sorts before what it begins. Negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const aLength = a.length;
  const bLength = b.length;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i += 1) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The smallest key after `key`: an exclusive end of it is an inclusive end of `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/**
 * Bytes of their own: a copy that shares no memory with a bigger buffer. Keeping a 20-byte key that is a view of a
 * request of a megabyte would keep the megabyte.
 */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

/** One code unit per byte: a map key that equals exactly when the bytes do. */
export function bytesToString(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 1) text += String.fromCharCode(bytes[i] as number);
  return text;
}
