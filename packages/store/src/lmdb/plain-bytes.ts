/**
 * How lmdb-js hands out keys and values: it reads them into one buffer of its own, which the next read overwrites, and
 * asks these for something to keep. Its own answer, a Buffer each with memory of its own outside the heap, is most of
 * the cost of a scan. These are plain arrays: small ones on the heap, middling ones cut from a slab.
 */
export const plainValues: {
  readonly encode: (value: Uint8Array) => Uint8Array;
  readonly decode: (buffer: Uint8Array) => Uint8Array;
} = {
  encode: (value) => value,
  decode: (buffer) => keep(buffer, 0, buffer.length),
};

export const plainKeys: {
  readonly writeKey: (key: Uint8Array, target: Uint8Array, start: number) => number;
  readonly readKey: (target: Uint8Array, start: number, end: number) => Uint8Array;
} = {
  writeKey: (key, target, start) => {
    target.set(key, start);
    return start + key.length;
  },
  readKey: keep,
};

/** Up to here V8 keeps a typed array's bytes on its own heap. */
const smallBytes = 64;
const pooledBytes = 2 * 1024;
/** Short, since whoever keeps one piece keeps all of it. */
const slabBytes = 16 * 1024;

let slab = new Uint8Array(slabBytes);
let used = 0;

function keep(source: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const copy = length <= smallBytes || length > pooledBytes ? new Uint8Array(length) : cut(length);
  // A loop beats `set` with a view for what is usual here.
  if (length <= 256) for (let i = 0; i < length; i += 1) copy[i] = source[start + i] as number;
  else copy.set(new Uint8Array(source.buffer, source.byteOffset + start, length));
  return copy;
}

function cut(length: number): Uint8Array {
  if (used + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const piece = slab.subarray(used, used + length);
  used += length;
  return piece;
}
