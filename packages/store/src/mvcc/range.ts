import { RangeResponse, SortOrder, SortTarget, etcdErrors } from '@flotilla/wire';
import type { KeyValue, RangeRequest } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { Cursor } from '../storage.ts';
import { countAt, countLatest } from './counting.ts';
import { header } from './header.ts';
import type { KeyRange } from './key-range.ts';
import { isEmpty, keyRange } from './key-range.ts';
import type { Layers } from './layers.ts';
import { scanVisible } from './visible-cursor.ts';

/** What a read needs to know of the state, beside the layers. */
export interface ReadPoint {
  readonly layers: Layers;
  /** The newest revision that is readable here. */
  readonly revision: number;
  readonly compactRevision: number;
}

/**
 * Answers a range request that `validate.ts` has accepted. Throws `etcdErrors.compacted` and
 * `etcdErrors.futureRevision`.
 */
export function range(point: ReadPoint, request: RangeRequest): RangeResponse {
  const scan = new RangeScan(point, request);
  while (!scan.step(Number.MAX_SAFE_INTEGER));
  return scan.response();
}

/**
 * A range in slices, for callers that must not hold the event loop. The layers must not change between the steps: a
 * scan that takes more than one needs a pinned view.
 *
 * Rules (etcd 3.7): `count` is the number of keys in the range, whatever limit and filters say. The limit cuts after
 * filtering and sorting, except that a sort target with no order sorts only what the limit let through.
 */
export class RangeScan {
  readonly #point: ReadPoint;
  readonly #request: RangeRequest;
  readonly #range: KeyRange;
  /** The revision that is read; `#latest` when it is the newest. */
  readonly #revision: number;
  readonly #latest: boolean;
  /** Stop when so many passed the filters: one more than asked for, to know whether there are more. */
  readonly #wanted: number;
  readonly #reverse: boolean;
  readonly #filtered: boolean;
  #cursor: Cursor<KeyValue> | null = null;
  #kvs: KeyValue[] = [];
  #visited = 0;
  #exhausted = false;
  #done = false;

  constructor(point: ReadPoint, request: RangeRequest) {
    this.#point = point;
    this.#request = request;
    this.#range = keyRange(request.key, request.rangeEnd);
    this.#revision = readRevision(point, request.revision);
    this.#latest = this.#revision === point.revision;
    this.#filtered = isFiltered(request);
    const byKey = request.sortTarget === SortTarget.KEY;
    this.#reverse = byKey && request.sortOrder === SortOrder.DESCEND;
    this.#wanted = scanLimit(request);
  }

  /** Visits up to `maxKeys` keys. True when the response is ready. */
  step(maxKeys: number): boolean {
    if (this.#done) return true;
    if (this.#range.single) this.#readOne();
    else if (isEmpty(this.#range)) this.#exhausted = true;
    else if (!this.#request.countOnly) this.#scan(maxKeys);
    else this.#done = true;
    this.#done ||= this.#exhausted || this.#kvs.length >= this.#wanted;
    if (this.#done) this.#cursor?.close();
    return this.#done;
  }

  /** Gives up. */
  close(): void {
    this.#cursor?.close();
  }

  response(): RangeResponse {
    const { request, kvs } = { request: this.#request, kvs: this.#kvs };
    const count = this.#exhausted ? this.#visited : this.#count();
    const more = finish(kvs, request);
    return RangeResponse.create({ header: header(this.#point.revision), kvs, more, count });
  }

  #readOne(): void {
    this.#exhausted = true;
    const { layers } = this.#point;
    const { key, countOnly } = this.#request;
    const kv = this.#latest ? layers.latest(key) : layers.visibleAt(key, this.#revision);
    if (kv === null) return;
    this.#visited = 1;
    if (!countOnly) this.#take(kv);
  }

  #scan(maxKeys: number): void {
    this.#cursor ??= this.#open();
    const cursor = this.#cursor;
    for (let visited = 0; visited < maxKeys; visited += 1) {
      if (cursor.key === null) {
        this.#exhausted = true;
        return;
      }
      this.#visited += 1;
      this.#take(cursor.value);
      if (this.#kvs.length >= this.#wanted) return;
      cursor.advance();
    }
  }

  #open(): Cursor<KeyValue> {
    const bounds = { from: this.#range.from, to: this.#range.to, reverse: this.#reverse };
    const { layers } = this.#point;
    return this.#latest ? layers.scanLatest(bounds) : scanVisible(layers, bounds, this.#revision);
  }

  #take(kv: KeyValue): void {
    if (this.#filtered && !passes(kv, this.#request)) return;
    this.#kvs.push(this.#request.keysOnly ? withoutValue(kv, this.#request) : kv);
  }

  #count(): number {
    const { layers, revision } = this.#point;
    if (this.#latest) return countLatest(layers, this.#range);
    return countAt(layers, this.#range, this.#revision, revision);
  }
}

/** The revision to read for the one asked for (0 and below: the newest). */
export function readRevision(
  point: Pick<ReadPoint, 'revision' | 'compactRevision'>,
  requested: number,
): number {
  if (requested <= 0) return point.revision;
  if (requested > point.revision) throw etcdErrors.futureRevision;
  if (requested < point.compactRevision) throw etcdErrors.compacted;
  return requested;
}

type RevisionFilter = Pick<
  RangeRequest,
  'minModRevision' | 'maxModRevision' | 'minCreateRevision' | 'maxCreateRevision'
>;

/** Whether it leaves out keys by their revisions. */
export function isFiltered(request: RevisionFilter): boolean {
  return (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  );
}

/** How many versions that pass the filters decide the answer, in the order of the scan. */
export function scanLimit(request: RangeRequest): number {
  const byKey = request.sortTarget === SortTarget.KEY;
  const inScanOrder = byKey || request.sortOrder === SortOrder.NONE;
  const cuts = request.limit > 0 && inScanOrder;
  // Sort target without order: etcd limits first and sorts then, unless a filter makes it read everything.
  const cutsBeforeSorting = cuts && (byKey || !isFiltered(request));
  return cutsBeforeSorting ? request.limit + 1 : Number.MAX_SAFE_INTEGER;
}

/** What a range makes of all versions in it that passed its filters, in the order of a scan. Answers: are there more? */
export function sortAndCut(kvs: KeyValue[], request: RangeRequest): boolean {
  const wanted = scanLimit(request);
  if (kvs.length > wanted) kvs.length = wanted;
  return finish(kvs, request);
}

function finish(kvs: KeyValue[], request: RangeRequest): boolean {
  sort(kvs, request);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs.length = request.limit;
  return more;
}

export function passes(kv: KeyValue, request: RevisionFilter): boolean {
  return !(
    (request.maxModRevision !== 0 && kv.modRevision > request.maxModRevision) ||
    (request.minModRevision !== 0 && kv.modRevision < request.minModRevision) ||
    (request.maxCreateRevision !== 0 && kv.createRevision > request.maxCreateRevision) ||
    (request.minCreateRevision !== 0 && kv.createRevision < request.minCreateRevision)
  );
}

/** A sort by value needs the values although the answer does not: they go after it. */
function withoutValue(kv: KeyValue, request: RangeRequest): KeyValue {
  return request.sortTarget === SortTarget.VALUE ? kv : keyOnly(kv);
}

function keyOnly(kv: KeyValue): KeyValue {
  return { ...kv, value: new Uint8Array(0) };
}

/** Sorts what was scanned in key order. Stable, where etcd leaves the order of equals open. */
function sort(kvs: KeyValue[], request: RangeRequest): void {
  const compare = comparison(request.sortTarget);
  if (compare !== null) {
    const sign = request.sortOrder === SortOrder.DESCEND ? -1 : 1;
    kvs.sort((a, b) => sign * compare(a, b));
  }
  if (request.keysOnly && request.sortTarget === SortTarget.VALUE) {
    for (let i = 0; i < kvs.length; i += 1) kvs[i] = keyOnly(kvs[i] as KeyValue);
  }
}

/** Null: the scan's order is the answer's. */
function comparison(target: SortTarget): ((a: KeyValue, b: KeyValue) => number) | null {
  switch (target) {
    case SortTarget.VERSION:
      return (a, b) => a.version - b.version;
    case SortTarget.CREATE:
      return (a, b) => a.createRevision - b.createRevision;
    case SortTarget.MOD:
      return (a, b) => a.modRevision - b.modRevision;
    case SortTarget.VALUE:
      return (a, b) => compareBytes(a.value, b.value);
    default:
      return null;
  }
}
