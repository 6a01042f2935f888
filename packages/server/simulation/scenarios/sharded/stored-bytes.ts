import type { OrderedStorage } from '@flotilla/store';
import type { Member } from '../../../src/member/member.ts';

const wholeTable = { from: null, to: null, reverse: false };

/**
 * What a node keeps for clients: live bytes of its log, and all its state but what the cluster keeps of itself, which the
 * courses have in a controller's servers.
 */
export function storedBytesOf(storage: OrderedStorage, { host }: Member): number {
  let sum = host.status().log.liveBytes;
  for (const [table, name] of storage.tables.entries()) {
    if (name === 'system') continue;
    for (const cursor = storage.scan(table, wholeTable); cursor.key !== null; cursor.advance()) {
      sum += cursor.key.length + cursor.value.length;
    }
  }
  return sum;
}
