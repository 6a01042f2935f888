import { Compare, DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest } from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import { textToBytes } from '../../src/encoding/text.ts';
import { checkTxnRequest } from '../../src/validate.ts';
import type { KeySpan } from '../../src/shard/key-span.ts';
import type { WriteRequest } from '../../src/shard/write-request.ts';
import { end, keys } from './keys.ts';
import type { OrderingWorld } from './world.ts';

const noEnd = new Uint8Array(0);

/** What clients ask for. `seen`: about the newest revision that the client has heard of. */
export class Workload {
  readonly #world: OrderingWorld;
  readonly #leases: () => readonly bigint[];

  constructor(world: OrderingWorld, leases: () => readonly bigint[]) {
    this.#world = world;
    this.#leases = leases;
  }

  write(tag: string, seen: number): WriteRequest {
    const kind = this.#below(100, 'request');
    if (kind < 18) return { kind: 'put', request: this.#put(this.#key(), tag) };
    if (kind < 28) return { kind: 'delete-range', request: this.#delete() };
    if (kind < 50) return { kind: 'txn', request: this.#guardedPut(tag, seen) };
    return { kind: 'txn', request: this.#validTxn(tag, seen) };
  }

  span(): KeySpan {
    const from = this.#below(keys.length, 'from');
    const isWide = this.#chance(20, 'wide');
    const to = from + 1 + this.#below(Math.min(keys.length - from, isWide ? keys.length : 2), 'length');
    return { from: keys[from] as Uint8Array, to: keys[to] ?? end };
  }

  range(span: KeySpan, revision: number): RangeRequest {
    const { from, to } = span;
    return RangeRequest.create({ key: from, rangeEnd: to as Uint8Array, revision });
  }

  /** The transaction that everybody writes: put if it is as I know it. */
  #guardedPut(tag: string, seen: number): TxnRequest {
    const key = this.#key();
    const read = { request: { case: 'requestRange', value: RangeRequest.create({ key }) } } as const;
    return TxnRequest.create({
      compare: [this.#compare(key, seen)],
      success: [{ request: { case: 'requestPut', value: this.#put(key, tag) } }],
      failure: this.#chance(50, 'else') ? [read] : [],
    });
  }

  #validTxn(tag: string, seen: number): TxnRequest {
    const txn = this.#txn(tag, seen, 1);
    try {
      checkTxnRequest(txn, 128);
      return txn;
    } catch {
      // A key twice.
      return this.#guardedPut(tag, seen);
    }
  }

  #txn(tag: string, seen: number, depth: number): TxnRequest {
    return TxnRequest.create({
      compare: this.#many(3, () => this.#compare(this.#key(), seen)),
      success: this.#many(3, () => this.#operation(tag, seen, depth)),
      failure: this.#many(3, () => this.#operation(tag, seen, depth)),
    });
  }

  #operation(tag: string, seen: number, depth: number): RequestOp {
    const kind = this.#below(20, 'operation');
    if (kind < 9) return { request: { case: 'requestPut', value: this.#put(this.#key(), tag) } };
    if (kind < 13) return { request: { case: 'requestDeleteRange', value: this.#delete() } };
    if (kind < 18 || depth === 0) return { request: { case: 'requestRange', value: this.#anyRange(seen) } };
    return { request: { case: 'requestTxn', value: this.#txn(tag, seen, depth - 1) } };
  }

  #put(key: Uint8Array, tag: string): PutRequest {
    const leases = this.#leases();
    const lease =
      leases.length > 0 && this.#chance(20, 'lease') ? this.#world.pick(leases, 'which lease') : 0n;
    const ignoreValue = this.#chance(4, 'ignore value');
    return PutRequest.create({
      key,
      value: ignoreValue ? noEnd : textToBytes(tag),
      lease,
      ignoreValue,
      prevKv: this.#chance(20, 'previous'),
      ignoreLease: lease === 0n && this.#chance(4, 'ignore lease'),
    });
  }

  #delete(): DeleteRangeRequest {
    const { from, to } = this.span();
    const isOne = this.#chance(60, 'one key');
    const rangeEnd = isOne ? noEnd : (to as Uint8Array);
    return DeleteRangeRequest.create({ key: from, rangeEnd, prevKv: this.#chance(40, 'previous') });
  }

  #anyRange(seen: number): RangeRequest {
    const { from, to } = this.span();
    const isOne = this.#chance(40, 'one key');
    const isPlain = this.#chance(60, 'plain range');
    const request = RangeRequest.create({ key: from, rangeEnd: isOne ? noEnd : (to as Uint8Array) });
    if (isPlain) return request;
    return {
      ...request,
      limit: this.#below(3, 'limit'),
      sortOrder: this.#below(3, 'sort order'),
      sortTarget: this.#below(5, 'sort target'),
      countOnly: this.#chance(15, 'count only'),
      keysOnly: this.#chance(15, 'keys only'),
      revision: this.#chance(15, 'at revision') ? this.#near(seen) : 0,
      minModRevision: this.#chance(25, 'filter') ? this.#near(seen) : 0,
      maxCreateRevision: this.#chance(15, 'filter') ? this.#near(seen) : 0,
    };
  }

  #compare(key: Uint8Array, seen: number): Compare {
    const target = this.#below(10, 'target');
    const result = this.#below(4, 'result');
    const rangeEnd = this.#chance(15, 'range compare') ? end : noEnd;
    const base = { key, rangeEnd, result };
    const revision = this.#chance(25, 'absent') ? 0 : this.#near(seen);
    if (target < 5)
      return Compare.create({ ...base, target: 2, targetUnion: { case: 'modRevision', value: revision } });
    if (target < 7) {
      return Compare.create({ ...base, target: 1, targetUnion: { case: 'createRevision', value: revision } });
    }
    if (target < 8) {
      return Compare.create({
        ...base,
        target: 0,
        targetUnion: { case: 'version', value: this.#below(3, 'version') },
      });
    }
    if (target < 9) {
      const [lease = 0n] = this.#leases();
      return Compare.create({ ...base, target: 4, targetUnion: { case: 'lease', value: lease } });
    }
    const value = textToBytes(`1.${this.#below(9, 'value')}`);
    return Compare.create({ ...base, target: 3, targetUnion: { case: 'value', value } });
  }

  #near(seen: number): number {
    return Math.max(1, seen + 3 - this.#below(7, 'near'));
  }

  #key(): Uint8Array {
    const isHot = this.#chance(40, 'hot key');
    return keys[isHot ? 3 * this.#below(3, 'hot') : this.#below(keys.length, 'key')] as Uint8Array;
  }

  #many<T>(below: number, make: () => T): T[] {
    return Array.from({ length: this.#below(below, 'how many') }, make);
  }

  #below(bound: number, label: string): number {
    return this.#world.below(bound, label);
  }

  #chance(percent: number, label: string): boolean {
    return this.#world.chance(percent, label);
  }
}
