/** etcd's `leasepb.Lease`, which no RPC carries. */
export interface LeaseRecord {
  readonly id: bigint;
  readonly ttl: number;
  /** 0: never checkpointed. */
  readonly remainingTtl: number;
}

export function encodeLeaseRecord({ id, ttl, remainingTtl }: LeaseRecord): Uint8Array {
  const bytes: number[] = [];
  for (const [field, value] of [
    [1, id],
    [2, BigInt(ttl)],
    [3, BigInt(remainingTtl)],
  ] as const) {
    if (value === 0n) continue;
    bytes.push(field << 3);
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}

/** Null: the bytes are no such message. Fields that are not known have no place in it: etcd has three. */
export function decodeLeaseRecord(bytes: Uint8Array): LeaseRecord | null {
  const fields = [0n, 0n, 0n, 0n];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] as number;
    at += 1;
    const field = tag >> 3;
    if ((tag & 7) !== 0 || field < 1 || field > 3) return null;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined || shift > 63n) return null;
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    fields[field] = BigInt.asIntN(64, value);
  }
  const [, id, ttl, remainingTtl] = fields as [bigint, bigint, bigint, bigint];
  return { id, ttl: Number(ttl), remainingTtl: Number(remainingTtl) };
}
