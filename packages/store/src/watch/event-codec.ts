import { assert } from '@flotilla/platform';
import type { KeyValue } from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import type { KeySpan } from '../shard/key-span.ts';
import { tombstone } from './batch.ts';
import { type EventAnswer, type EventRequest, ShardEvent } from './event-page.ts';

/** Sent between nodes: a number never changes its meaning. */
const AnswerTag = { PAGE: 1, BEHIND: 2, ELSEWHERE: 3, COMPACTED: 4 } as const;

const previousFlag = 1;
const liveFlag = 2;

const deletedFlag = 1;
const hasPreviousFlag = 2;
const placedFlag = 4;

const writer = new ByteWriter(64 * 1024);

export function encodeEventRequest(request: EventRequest): Uint8Array {
  writer.varint(request.shard);
  writer.varint(request.lastFact);
  writer.varint(request.from.revision);
  writer.varint(request.from.skip);
  writer.varint(request.through);
  writer.byte((request.previous ? previousFlag : 0) | (request.live ? liveFlag : 0));
  writer.varint(request.maxEvents);
  writer.varint(request.maxBytes);
  writer.varint(request.spans.length);
  for (const { from, to } of request.spans) {
    writer.lengthPrefixed(from);
    writer.byte(to === null ? 0 : 1);
    if (to !== null) writer.lengthPrefixed(to);
  }
  return writer.take();
}

export function decodeEventRequest(bytes: Uint8Array): EventRequest {
  const reader = new ByteReader(bytes);
  const shard = reader.varint();
  const lastFact = reader.varint();
  const from = { revision: reader.varint(), skip: reader.varint() };
  const through = reader.varint();
  const flags = reader.byte();
  const maxEvents = reader.varint();
  const maxBytes = reader.varint();
  const spans: KeySpan[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const start = reader.lengthPrefixed();
    spans.push({ from: start, to: reader.byte() === 0 ? null : reader.lengthPrefixed() });
  }
  const previous = (flags & previousFlag) !== 0;
  const live = (flags & liveFlag) !== 0;
  return { shard, lastFact, spans, from, through, previous, live, maxEvents, maxBytes };
}

export function encodeEventAnswer(answer: EventAnswer): Uint8Array {
  switch (answer.kind) {
    case 'behind':
      writer.byte(AnswerTag.BEHIND);
      break;
    case 'elsewhere':
      writer.byte(AnswerTag.ELSEWHERE);
      break;
    case 'compacted':
      writer.byte(AnswerTag.COMPACTED);
      writer.varint(answer.revision);
      break;
    case 'page':
      writer.byte(AnswerTag.PAGE);
      writer.varint(answer.next === null ? 0 : answer.next.revision);
      if (answer.next !== null) writer.varint(answer.next.skip);
      writer.varint(answer.events.length);
      for (const event of answer.events) writeEvent(event);
      break;
  }
  return writer.take();
}

export function decodeEventAnswer(bytes: Uint8Array): EventAnswer {
  const reader = new ByteReader(bytes);
  const tag = reader.byte();
  if (tag === AnswerTag.BEHIND) return { kind: 'behind' };
  if (tag === AnswerTag.ELSEWHERE) return { kind: 'elsewhere' };
  if (tag === AnswerTag.COMPACTED) return { kind: 'compacted', revision: reader.varint() };
  assert(tag === AnswerTag.PAGE, 'an answer about events is one of those that there are');
  const revision = reader.varint();
  const next = revision === 0 ? null : { revision, skip: reader.varint() };
  const events: ShardEvent[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) events.push(readEvent(reader));
  return { kind: 'page', events, next };
}

function writeEvent({ kv, deleted, previous, place }: ShardEvent): void {
  writer.byte(
    (deleted ? deletedFlag : 0) | (previous === null ? 0 : hasPreviousFlag) | (place === 0 ? 0 : placedFlag),
  );
  writer.lengthPrefixed(kv.key);
  writer.varint(kv.modRevision);
  if (place !== 0) writer.varint(place);
  if (!deleted) writeVersion(kv);
  if (previous === null) return;
  writer.varint(previous.modRevision);
  writeVersion(previous);
}

function readEvent(reader: ByteReader): ShardEvent {
  const flags = reader.byte();
  const key = reader.lengthPrefixed();
  const modRevision = reader.varint();
  const place = (flags & placedFlag) === 0 ? 0 : reader.varint();
  const deleted = (flags & deletedFlag) !== 0;
  const kv = deleted ? tombstone(key, modRevision) : readVersion(reader, key, modRevision);
  const previous = (flags & hasPreviousFlag) === 0 ? null : readVersion(reader, key, reader.varint());
  return new ShardEvent(kv, deleted, previous, place);
}

/** The rest of a version whose key and last change are known. */
function writeVersion({ createRevision, version, lease, value }: KeyValue): void {
  writer.varint(createRevision);
  writer.varint(version);
  writer.bigint64(lease);
  writer.lengthPrefixed(value);
}

function readVersion(reader: ByteReader, key: Uint8Array, modRevision: number): KeyValue {
  const createRevision = reader.varint();
  const version = reader.varint();
  const lease = reader.bigint64();
  return { key, createRevision, modRevision, version, lease, value: reader.lengthPrefixed() };
}
