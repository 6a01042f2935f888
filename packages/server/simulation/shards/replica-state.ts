import type { ShardMachine } from '@flotilla/store';

/** What a replica of a shard has, in words: all replicas of the shard that have applied everything say the same. */
export function describeReplica(machine: ShardMachine): string {
  const { span, epoch, ordered, known, numbered, seq, life } = machine;
  const ends = [span.from, span.to ?? new Uint8Array(0)].map((end) => Buffer.from(end).toString());
  return JSON.stringify({
    ends,
    range: epoch.range,
    ordered,
    known,
    numbered,
    seq,
    life,
    keys: keysOf(machine),
  });
}

function keysOf(machine: ShardMachine): readonly string[] {
  const { keys } = machine.store;
  keys.settle();
  const found: string[] = [];
  const cursor = keys.layers.scanLatest({ from: machine.span.from, to: machine.span.to, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    const { value, modRevision, createRevision, version, lease } = cursor.value;
    const text = [cursor.key, value].map((bytes) => Buffer.from(bytes).toString()).join('=');
    found.push(`${text}@${modRevision}/${createRevision}/${version}/${lease}`);
  }
  return found;
}
