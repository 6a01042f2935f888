import { binaryString, type KeyValue, type WatchEvent, type WatchRecord } from '@flotilla/check';
import type { Entry, WatchBatch } from '@flotilla/client/core';

/**
 * What the client made of its streams, as the watch checker reads it: one watch that is resumed without a seam, and
 * ends only where history was lost.
 */
export function watchesOf(name: string, batches: readonly WatchBatch[]): readonly WatchRecord[] {
  const records: WatchRecord[] = [];
  let startRevision = 1;
  let begin = 0;
  const end = (through: number): void => {
    const range = { key: 'p/', rangeEnd: 'p0', noPut: false, noDelete: false, prevKv: false };
    records.push({
      name: `watch of ${name} from ${startRevision}`,
      request: { ...range, startRevision },
      createdRevision: 1,
      responses: batches.slice(begin, through).map((batch) => ({
        revision: batch.revision,
        events: batch.events.map(checkedEvent),
        fragment: false,
      })),
      completeThrough: 0,
    });
  };
  for (const [index, { lost }] of batches.entries()) {
    if (lost === null) continue;
    end(index);
    startRevision = lost.to + 1;
    begin = index + 1;
  }
  end(batches.length);
  return records;
}

function checkedEvent({ type, entry }: WatchBatch['events'][number]): WatchEvent {
  if (type === 'put') return { type, kv: keyValueOf(entry), prevKv: null };
  return { type, key: binaryString(entry.keyBytes), modRevision: entry.modRevision, prevKv: null };
}

function keyValueOf({ keyBytes, bytes, createRevision, modRevision, version, lease }: Entry): KeyValue {
  const [key, value] = [binaryString(keyBytes), binaryString(bytes)];
  return { key, value, createRevision, modRevision, version, lease };
}
