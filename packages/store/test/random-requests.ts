import type { Random } from '@flotilla/platform';
import {
  CompactionRequest,
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import type { ProposalKind } from '../src/proposal.ts';
import { checkTxnRequest } from '../src/validate.ts';
import { toBytes } from './model.ts';

export interface RandomRequest {
  readonly kind: ProposalKind;
  readonly message: PutRequest | DeleteRangeRequest | TxnRequest | CompactionRequest;
  readonly bytes: Uint8Array;
}

/** Requests over few keys that share prefixes, some with zero bytes and 0xff, so that they meet each other. */
export class RandomRequests {
  readonly #random: Random;
  readonly #keys: readonly string[];

  constructor(random: Random, keys = 12) {
    this.#random = random;
    const special = ['a', 'a\0', 'a\0\0', 'a\0\xff', 'aa', 'ab', 'b', '\0', '\xff', '\xff\xff', 'b\xff', 'c'];
    this.#keys = Array.from({ length: keys }, (_, i) => special[i] ?? `k${i}`);
  }

  next(revision: number): RandomRequest {
    const choice = this.#random.below(20);
    if (choice < 9) {
      const message = this.#put();
      return { kind: 'put', message, bytes: PutRequest.encode(message) };
    }
    if (choice < 12) {
      const message = this.#delete();
      return { kind: 'delete-range', message, bytes: DeleteRangeRequest.encode(message) };
    }
    if (choice < 19) {
      const message = this.#validTxn(revision);
      return { kind: 'txn', message, bytes: TxnRequest.encode(message) };
    }
    const message = CompactionRequest.create({ revision: this.#revision(revision) });
    return { kind: 'compact', message, bytes: CompactionRequest.encode(message) };
  }

  range(revision: number): RangeRequest {
    const bound = (): number => (this.#one(6) ? this.#revision(revision) : 0);
    return RangeRequest.create({
      ...this.#bounds(),
      limit: this.#one(2) ? 0 : this.#random.below(5),
      revision: this.#one(2) ? 0 : this.#revision(revision),
      sortOrder: this.#random.below(3),
      sortTarget: this.#one(2) ? 0 : this.#random.below(5),
      keysOnly: this.#one(6),
      countOnly: this.#one(6),
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
    });
  }

  key(): Uint8Array {
    return toBytes(this.#keys[this.#random.below(this.#keys.length)]!);
  }

  #put(): PutRequest {
    const ignoreValue = this.#one(10);
    return PutRequest.create({
      key: this.key(),
      value: ignoreValue ? toBytes('') : toBytes(`v${this.#random.below(9)}`),
      prevKv: this.#one(3),
      ignoreValue,
      ignoreLease: this.#one(10),
      lease: this.#one(30) ? 7n : 0n,
    });
  }

  #delete(): DeleteRangeRequest {
    return DeleteRangeRequest.create({ ...this.#bounds(), prevKv: this.#one(2) });
  }

  #bounds(): { key: Uint8Array; rangeEnd: Uint8Array } {
    const shape = this.#random.below(4);
    const key = this.key();
    if (shape === 0) return { key, rangeEnd: toBytes('') };
    if (shape === 1) return { key, rangeEnd: toBytes('\0') };
    return { key, rangeEnd: this.key() };
  }

  #validTxn(revision: number): TxnRequest {
    for (;;) {
      const txn = this.#txn(revision, 2);
      try {
        checkTxnRequest(txn, 128);
        return txn;
      } catch {
        // Duplicate keys; another one.
      }
    }
  }

  #txn(revision: number, depth: number): TxnRequest {
    return TxnRequest.create({
      compare: this.#many(3, () => this.#compare(revision)),
      success: this.#many(4, () => this.#operation(revision, depth)),
      failure: this.#many(4, () => this.#operation(revision, depth)),
    });
  }

  #operation(revision: number, depth: number): RequestOp {
    const choice = this.#random.below(8);
    if (choice < 3) return { request: { case: 'requestPut', value: this.#put() } };
    if (choice < 5) return { request: { case: 'requestDeleteRange', value: this.#delete() } };
    if (choice < 7 || depth === 0) return { request: { case: 'requestRange', value: this.range(revision) } };
    return { request: { case: 'requestTxn', value: this.#txn(revision, depth - 1) } };
  }

  #compare(revision: number): Compare {
    const operands: NonNullable<Compare['targetUnion']>[] = [
      { case: 'version', value: this.#random.below(4) },
      { case: 'createRevision', value: this.#revision(revision) },
      { case: 'modRevision', value: this.#revision(revision) },
      { case: 'value', value: toBytes(`v${this.#random.below(9)}`) },
    ];
    const target = this.#random.below(4);
    return Compare.create({
      ...(this.#one(3) ? this.#bounds() : { key: this.key() }),
      result: this.#random.below(4),
      target,
      targetUnion: this.#one(15) ? null : operands[this.#one(15) ? this.#random.below(4) : target]!,
    });
  }

  /** Mostly near the current one, sometimes beyond. */
  #revision(current: number): number {
    return Math.max(0, current + 2 - this.#random.below(Math.min(current + 3, 25)));
  }

  #many<T>(below: number, make: () => T): T[] {
    return Array.from({ length: this.#random.below(below) }, make);
  }

  #one(of: number): boolean {
    return this.#random.below(of) === 0;
  }
}
