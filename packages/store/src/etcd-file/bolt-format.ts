/**
 * The layout of a bbolt file (version 2), as go.etcd.io/bbolt writes it on every platform that etcd supports: little
 * endian, pages of one size, two meta pages of which the valid one with the higher transaction counts.
 *
 * ```text
 * page      id 8 | flags 2 | count 2 | overflow 4 | elements … | keys and values …
 * leaf      flags 4 | position 4 | key bytes 4 | value bytes 4     position: from the element itself
 * branch    position 4 | key bytes 4 | page id 8
 * meta      magic 4 | version 4 | page bytes 4 | flags 4 | root bucket 16 | freelist 8 | pages 8 | transaction 8 | sum 8
 * bucket    root page 8 | sequence 8                               root 0: its only leaf page follows, inline
 * ```
 */
export const bolt = {
  magic: 0xed0c_daed,
  version: 2,
  pageBytes: 4_096,
  pageHeaderBytes: 16,
  leafElementBytes: 16,
  branchElementBytes: 16,
  metaBytes: 64,
  bucketBytes: 16,
  branchFlag: 0x01,
  leafFlag: 0x02,
  metaFlag: 0x04,
  freelistFlag: 0x10,
  /** Of a leaf element whose value is a bucket. */
  bucketFlag: 0x01,
} as const;

/** The checksum of a meta page: FNV-1a of 64 bits. */
export function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  return hash;
}
