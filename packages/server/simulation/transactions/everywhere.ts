import { put, range } from '@flotilla/check';
import type { EtcdRequest } from '@flotilla/check';
import { spreadKeys } from './key-spread.ts';

const keys = spreadKeys(13, 'last/');

/** A transaction that reads all there is and writes all over the key space: whatever is in its way shows. */
export function everywhere(value: string): EtcdRequest {
  const success = [range('\0', { rangeEnd: '\0' }), ...keys.map((key) => put(key, value))];
  return { type: 'txn', compare: [], success, failure: [] };
}
