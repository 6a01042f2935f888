import { assert, isFlotillaError, type Platform } from '@flotilla/platform';
import {
  checkRange,
  header,
  holdsForAll,
  type KeySpan,
  limits as storeLimits,
  type Page,
  type PageFilter,
  type PageRequest,
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
import { Deadline } from './deadline.ts';
import type { PartReader, ReadAt } from './part-reader.ts';
import type { PinnedPart, PinnedParts } from './pinned-parts.ts';

/** Where reads are, and what is compacted there. */
export interface ReadPlace extends ReadAt {
  readonly compactRevision: number;
}

export interface ShardReaderParts {
  readonly platform: Platform;
  readonly parts: PartReader;
  readonly pinned: PinnedParts;
  /** As far as this node knows of the order. */
  readonly place: () => ReadPlace;
  readonly counted: (kind: 'range' | 'txn', spans: readonly KeySpan[]) => void;
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
  readonly #pinned: PinnedParts;
  readonly #place: ShardReaderParts['place'];
  readonly #counted: ShardReaderParts['counted'];
  readonly #placeHere: ShardReaderParts['placeHere'];

  constructor({ platform, parts, pinned, place, counted, placeHere }: ShardReaderParts) {
    this.#platform = platform;
    this.#parts = parts;
    this.#pinned = pinned;
    this.#place = place;
    this.#counted = counted;
    this.#placeHere = placeHere;
  }

  /** `deadline`: of each step. What is long takes long; what does not go on is given up. */
  range(request: RangeRequest, deadline: () => Deadline): Promise<RangeResponse> {
    const spans = spansOf([request]);
    this.#counted('range', spans);
    const read = (at: ReadPlace, until: () => Deadline): Promise<RangeResponse> =>
      this.#rangeAt(request, at, until);
    return this.#atNewest(request.revision > 0, request.serializable ? spans : null, deadline, read);
  }

  /**
   * A streamable range; only the last piece has more than keys. All of it is pinned before the first piece goes out: what
   * is compacted meanwhile is still there.
   */
  async *pieces(
    request: RangeRequest,
    pieceBytes: number,
    deadline: () => Deadline,
  ): AsyncGenerator<RangeResponse> {
    const span = spanOf(request.key, request.rangeEnd);
    const spans = spansOf([request]);
    this.#counted('range', spans);
    const isOfPast = request.revision > 0;
    const here = request.serializable ? spans : null;
    const [at, parts] = await this.#atNewest(isOfPast, here, deadline, async (place, until) => {
      const revision = readRevision(pointOf(place), request.revision);
      const opened =
        span === null ? [] : await this.#pinned.open(span, place, { kind: 'pages', revision }, until());
      return [place, opened] as const;
    });
    try {
      yield* this.#piecesOf(request, at, parts, pieceBytes, deadline);
    } finally {
      for (const part of parts) part.close();
    }
  }

  async *#piecesOf(
    request: RangeRequest,
    at: ReadPlace,
    parts: readonly PinnedPart[],
    pieceBytes: number,
    deadline: () => Deadline,
  ): AsyncGenerator<RangeResponse> {
    const revision = readRevision(pointOf(at), request.revision);
    const filter = filterOf(request);
    const wanted = request.countOnly ? 0 : scanLimit(request);
    let pieceKeys: number = storeLimits.firstPieceKeys;
    let taken = 0;
    let piece: KeyValue[] = [];
    let bytes = 0;
    let hasMore = false;
    for (const part of wanted === 0 ? [] : parts) {
      for (let left: KeySpan | null = part.span; left !== null && !hasMore;) {
        // Wherever shards begin and end: a piece has keys of as many as it takes.
        const isFull: boolean = piece.length >= pieceKeys || bytes >= pieceBytes;
        const nextKeys: number = isFull ? nextPieceKeys(pieceKeys, bytes, pieceBytes) : pieceKeys;
        const maxKeys = isFull ? nextKeys : nextKeys - piece.length;
        const maxBytes = isFull ? pieceBytes : pieceBytes - bytes;
        const bounds = { wanted: wanted - taken, maxKeys, maxBytes };
        const wantedPage: PageRequest = { span: left, revision, reverse: false, filter, ...bounds };
        const page: Page = await orElse(part.page(wantedPage), () =>
          this.#parts.page(wantedPage, at, deadline()),
        );
        taken += page.kvs.length;
        hasMore = request.limit > 0 && taken > request.limit;
        const kvs = hasMore ? page.kvs.slice(0, page.kvs.length - (taken - request.limit)) : page.kvs;
        // Not before there is something behind it: the last piece has the rest of the answer.
        if (isFull && kvs.length > 0) {
          yield RangeResponse.create({ kvs: piece });
          pieceKeys = nextKeys;
          piece = [];
          bytes = 0;
        }
        for (const kv of kvs) {
          piece.push(kv);
          bytes += kv.key.length + kv.value.length;
        }
        left = page.rest;
      }
    }
    let count = taken;
    if (hasMore || request.countOnly) {
      count = 0;
      for (const part of parts) {
        count += await orElse(part.count(part.span, revision), () =>
          this.#parts.count(part.span, at, revision, deadline),
        );
      }
    }
    yield RangeResponse.create({ header: header(at.revision), kvs: piece, more: hasMore, count });
  }

  /** A transaction that only reads: compares and ranges are of one revision. */
  txn(request: TxnRequest, deadline: () => Deadline): Promise<TxnResponse> {
    const ranges = [...request.success, ...request.failure].map(rangeOf);
    const isSerializable = ranges.length > 0 && ranges.every(({ serializable }) => serializable);
    const spans = spansOf([...request.compare, ...ranges]);
    this.#counted('txn', spans);
    return this.#atNewest(false, isSerializable ? spans : null, deadline, (place, until) =>
      this.#txnAt(request, place, until),
    );
  }

  async #txnAt(request: TxnRequest, at: ReadPlace, deadline: () => Deadline): Promise<TxnResponse> {
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

  async #holds(compare: Compare, at: ReadPlace, deadline: () => Deadline): Promise<boolean> {
    const span = spanOf(compare.key, compare.rangeEnd);
    let found = false;
    for (let left = span; left !== null;) {
      const { kvs, rest } = await this.#parts.page(pageOf(left, at.revision), at, deadline());
      found ||= kvs.length > 0;
      if (kvs.length > 0 && !holdsForAll(compare, kvs)) return false;
      left = rest;
      await this.#nextTurn();
    }
    return found || holdsForAll(compare, []);
  }

  async #rangeAt(request: RangeRequest, at: ReadPlace, deadline: () => Deadline): Promise<RangeResponse> {
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
        deadline(),
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
   * serializable read wants, which needs nobody else if it must be.
   */
  async #atNewest<Answer>(
    isOfPast: boolean,
    here: readonly KeySpan[] | null,
    deadline: () => Deadline,
    read: (at: ReadPlace, deadline: () => Deadline) => Promise<Answer>,
  ): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      const own = here === null ? null : await this.#placeHere(here);
      if (own !== null && own.revision < this.#place().revision) {
        const answer = await this.#elsewhere(read);
        if (answer !== null) return answer;
      }
      const at = own ?? this.#place();
      try {
        return await read(at, deadline);
      } catch (error) {
        const mayRetry = error === etcdErrors.compacted && !isOfPast && attempt < limits.shardReadAttempts;
        if (!mayRetry || this.#place().revision === at.revision) throw error;
      }
    }
  }

  /**
   * Own replicas are behind what this node has told: others may have it, and soon. Null: they have not, and what is here
   * must do.
   */
  async #elsewhere<Answer>(
    read: (at: ReadPlace, deadline: () => Deadline) => Promise<Answer>,
  ): Promise<Answer | null> {
    try {
      return await read(this.#place(), () => new Deadline(this.#platform, limits.shardReadCallMs));
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      return null;
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#platform.defer(resolve));
  }
}

/** A replica that is lost takes what it had pinned with it; others have the revision until it is compacted. */
async function orElse<Result>(pinned: Promise<Result>, again: () => Promise<Result>): Promise<Result> {
  try {
    return await pinned;
  } catch (error) {
    if (isFlotillaError(error, 'FLOTILLA_SHARD_UNREACHABLE')) return await again();
    throw error;
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

function nextPieceKeys(keys: number, bytes: number, pieceBytes: number): number {
  if (bytes > pieceBytes) return Math.max(1, keys >> 1);
  return 2 * bytes <= pieceBytes ? Math.min(storeLimits.rangeSliceKeys, 2 * keys) : keys;
}
