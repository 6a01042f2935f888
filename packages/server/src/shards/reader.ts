import { assert, type Platform } from '@flotilla/platform';
import {
  checkRange,
  header,
  holdsForAll,
  type KeySpan,
  limits as storeLimits,
  type PageFilter,
  readRevision,
  scanLimit,
  sortAndCut,
  spanOf,
} from '@flotilla/store';
import {
  type Compare,
  etcdErrors,
  type KeyValue,
  RangeRequest,
  RangeResponse,
  type RequestOp,
  type ResponseOp,
  SortOrder,
  SortTarget,
  type TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Deadline } from './deadline.ts';
import type { PartReader, ReadAt } from './part-reader.ts';

/** Where reads are, and what is compacted there. */
export interface ReadPlace extends ReadAt {
  readonly compactRevision: number;
}

export interface ShardReaderParts {
  readonly platform: Platform;
  readonly parts: PartReader;
  /** As far as this node knows of the order. */
  readonly place: () => ReadPlace;
  /** Where this node's own replicas can read these keys, whatever others have; null: it has not all of them. */
  readonly placeHere: (spans: readonly KeySpan[]) => Promise<ReadPlace | null>;
}

/**
 * Reads over all shards, at one place in the order: what is read is the keyspace as it was at one revision, and the
 * answers are those of a database that never was in parts.
 */
export class ShardReader {
  readonly #platform: Platform;
  readonly #parts: PartReader;
  readonly #place: ShardReaderParts['place'];
  readonly #placeHere: ShardReaderParts['placeHere'];

  constructor({ platform, parts, place, placeHere }: ShardReaderParts) {
    this.#platform = platform;
    this.#parts = parts;
    this.#place = place;
    this.#placeHere = placeHere;
  }

  range(request: RangeRequest, deadline: Deadline): Promise<RangeResponse> {
    const read = (at: ReadPlace): Promise<RangeResponse> => this.#rangeAt(request, at, deadline);
    return this.#atNewest(request.revision > 0, request.serializable ? spansOf([request]) : null, read);
  }

  /** A streamable range; only the last piece has more than keys. */
  async *pieces(
    request: RangeRequest,
    pieceBytes: number,
    deadline: () => Deadline,
  ): AsyncGenerator<RangeResponse> {
    const at = this.#place();
    const revision = readRevision(pointOf(at), request.revision);
    const span = spanOf(request.key, request.rangeEnd);
    const wanted = request.countOnly ? 0 : scanLimit(request);
    let pieceKeys: number = storeLimits.firstPieceKeys;
    let taken = 0;
    let left = wanted === 0 ? null : span;
    let hasMore = false;
    let last: readonly KeyValue[] = [];
    while (left !== null && !hasMore) {
      if (last.length > 0) yield RangeResponse.create({ kvs: last });
      const page = await this.#parts.page(
        {
          span: left,
          revision,
          reverse: false,
          filter: filterOf(request),
          wanted: wanted - taken,
          maxKeys: pieceKeys,
          maxBytes: pieceBytes,
        },
        at,
        deadline(),
      );
      taken += page.kvs.length;
      hasMore = request.limit > 0 && taken > request.limit;
      last = hasMore ? page.kvs.slice(0, page.kvs.length - (taken - request.limit)) : page.kvs;
      left = page.rest;
      pieceKeys = nextPieceKeys(pieceKeys, last, pieceBytes);
      await this.#nextTurn();
    }
    const isCounted = !hasMore && !request.countOnly;
    const count =
      isCounted || span === null ? taken : await this.#parts.count(span, at, revision, deadline());
    yield RangeResponse.create({ header: header(at.revision), kvs: last, more: hasMore, count });
  }

  /** A transaction that only reads: compares and ranges are of one revision. */
  txn(request: TxnRequest, deadline: Deadline): Promise<TxnResponse> {
    const ranges = [...request.success, ...request.failure].map(rangeOf);
    const isSerializable = ranges.length > 0 && ranges.every(({ serializable }) => serializable);
    const spans = isSerializable ? spansOf([...request.compare, ...ranges]) : null;
    return this.#atNewest(false, spans, (place) => this.#txnAt(request, place, deadline));
  }

  async #txnAt(request: TxnRequest, at: ReadPlace, deadline: Deadline): Promise<TxnResponse> {
    let succeeded = true;
    for (const compare of request.compare) {
      succeeded = await this.#holds(compare, at, deadline);
      if (!succeeded) break;
    }
    const ranges = (succeeded ? request.success : request.failure).map(rangeOf);
    for (const range of ranges) checkRange(pointOf(at), range);
    const responses: ResponseOp[] = [];
    for (const range of ranges) {
      const value = await this.#rangeAt(range, at, deadline);
      responses.push({ response: { case: 'responseRange', value } });
    }
    return { header: header(at.revision), succeeded, responses };
  }

  async #holds(compare: Compare, at: ReadPlace, deadline: Deadline): Promise<boolean> {
    const span = spanOf(compare.key, compare.rangeEnd);
    let found = false;
    for (let left = span; left !== null;) {
      const { kvs, rest } = await this.#parts.page(pageOf(left, at.revision), at, deadline);
      found ||= kvs.length > 0;
      if (kvs.length > 0 && !holdsForAll(compare, kvs)) return false;
      left = rest;
      await this.#nextTurn();
    }
    return found || holdsForAll(compare, []);
  }

  async #rangeAt(request: RangeRequest, at: ReadPlace, deadline: Deadline): Promise<RangeResponse> {
    const revision = readRevision(pointOf(at), request.revision);
    const span = spanOf(request.key, request.rangeEnd);
    if (span === null) return RangeResponse.create({ header: header(at.revision) });
    const wanted = request.countOnly ? 0 : scanLimit(request);
    const reverse = request.sortTarget === SortTarget.KEY && request.sortOrder === SortOrder.DESCEND;
    const kvs: KeyValue[] = [];
    let visited = 0;
    let left: KeySpan | null = span;
    while (left !== null && kvs.length < wanted) {
      const page = await this.#parts.page(
        {
          ...pageOf(left, revision),
          reverse,
          filter: filterOf(request),
          wanted: wanted - kvs.length,
        },
        at,
        deadline,
      );
      for (const kv of page.kvs) kvs.push(kv);
      visited += page.visited;
      left = page.rest;
      if (left !== null) await this.#nextTurn();
    }
    const count = left === null ? visited : await this.#parts.count(span, at, revision, deadline);
    const more = sortAndCut(kvs, request);
    return RangeResponse.create({ header: header(at.revision), kvs, more, count });
  }

  /**
   * What was the newest revision may be compacted while it is read: then there is a newer one. `here`: what a
   * serializable read wants, which needs nobody else.
   */
  async #atNewest<Answer>(
    isOfPast: boolean,
    here: readonly KeySpan[] | null,
    read: (at: ReadPlace) => Promise<Answer>,
  ): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      const at = (here === null ? null : await this.#placeHere(here)) ?? this.#place();
      try {
        return await read(at);
      } catch (error) {
        const mayRetry = error === etcdErrors.compacted && !isOfPast && attempt < limits.shardReadAttempts;
        if (!mayRetry || this.#place().revision === at.revision) throw error;
      }
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#platform.defer(resolve));
  }
}

function pointOf({ revision, compactRevision }: ReadPlace): {
  readonly revision: number;
  readonly compactRevision: number;
} {
  return { revision, compactRevision };
}

function pageOf(span: KeySpan, revision: number): Parameters<PartReader['page']>[0] {
  return {
    span,
    revision,
    reverse: false,
    filter: noFilter,
    wanted: Number.MAX_SAFE_INTEGER,
    maxKeys: storeLimits.rangeSliceKeys,
    maxBytes: limits.shardPageBytes,
  };
}

const noFilter: PageFilter = RangeRequest.create({});

/** A sort by value needs the values although the answer does not. */
function filterOf(request: RangeRequest): PageFilter {
  const { keysOnly, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return {
    keysOnly: keysOnly && request.sortTarget !== SortTarget.VALUE,
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
  };
}

function spansOf(bounds: readonly Pick<RangeRequest, 'key' | 'rangeEnd'>[]): KeySpan[] {
  return bounds.flatMap(({ key, rangeEnd }) => spanOf(key, rangeEnd) ?? []);
}

function rangeOf({ request }: RequestOp): RangeRequest {
  assert(request?.case === 'requestRange', 'a read-only transaction has only ranges');
  return request.value;
}

function nextPieceKeys(keys: number, kvs: readonly KeyValue[], pieceBytes: number): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (bytes >= pieceBytes) return Math.max(1, keys >> 1);
  return 2 * bytes <= pieceBytes ? Math.min(storeLimits.rangeSliceKeys, 2 * keys) : keys;
}
