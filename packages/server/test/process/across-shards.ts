import { Buffer } from 'node:buffer';
import type { EtcdCall, EtcdRequest } from '@flotilla/check';
import type { SeenShards } from './shard-churn.ts';

/** How many of these transactions were answered and had keys in several shards, as the shards were seen at their time. */
export function countAcrossShards(calls: readonly EtcdCall[], seen: readonly SeenShards[]): number {
  let count = 0;
  let at = 0;
  for (const { operation, calledAt, outcome } of calls) {
    while ((seen[at + 1]?.atMs ?? Infinity) <= calledAt) at += 1;
    const starts = seen[at]?.starts ?? [];
    if (operation.type !== 'txn' || outcome.type !== 'returned') continue;
    if (new Set(shardsOf(operation, starts)).size > 1) count += 1;
  }
  return count;
}

function shardsOf(request: EtcdRequest, starts: readonly Buffer[]): readonly number[] {
  switch (request.type) {
    case 'compact':
      return [];
    case 'txn':
      return [...request.compare, ...request.success, ...request.failure].flatMap((part) =>
        'type' in part ? shardsOf(part, starts) : placesOf(part.key, part.rangeEnd, starts),
      );
    case 'put':
      return placesOf(request.key, '', starts);
    case 'range':
    case 'delete-range':
      return placesOf(request.key, request.rangeEnd, starts);
  }
}

/** The first and the last that it touches: enough to tell one from several. */
function placesOf(key: string, rangeEnd: string, starts: readonly Buffer[]): readonly number[] {
  const place = (text: string): number =>
    starts.filter((start) => Buffer.compare(start, Buffer.from(text)) <= 0).length;
  if (rangeEnd === '') return [place(key)];
  return [place(key), rangeEnd === '\0' ? starts.length : place(rangeEnd)];
}
