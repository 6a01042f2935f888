import type { Index, Term } from '@flotilla/raft';
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import type { RangeResponse, TxnResponse } from '@flotilla/wire';
import type { ApplyResult } from '../src/apply-result.ts';
import { Database } from '../src/database.ts';
import type { DatabaseOptions } from '../src/database.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import { encodeProposal, noOrigin } from '../src/proposal.ts';
import type { Origin, ProposalKind } from '../src/proposal.ts';
import { toBytes } from './model.ts';
import { VirtualPlatform } from './virtual-platform.ts';

/** A database on memory storage, spoken to in strings. Errors are thrown. */
export class Harness {
  platform!: VirtualPlatform;
  storage!: MemoryStorage;
  database!: Database;
  readonly #image = new MemoryImage();
  readonly #options: DatabaseOptions;

  constructor(options: DatabaseOptions = {}) {
    this.#options = options;
  }

  static open(options?: DatabaseOptions): Promise<Harness> {
    return new Harness(options).restart();
  }

  /** A crash, if it is open: what is not flushed is gone. */
  async restart(): Promise<this> {
    this.platform?.crash();
    this.platform = new VirtualPlatform();
    const options = { image: this.#image, maxCommitDelayMs: 5, maxFlushDelayMs: 5 };
    this.storage = new MemoryStorage(this.platform, storageTables, options);
    this.database = await Database.open(this.platform, this.storage, this.#options);
    return this;
  }

  /** Long enough for whatever goes on to end. */
  rest(): Promise<void> {
    return this.platform.advance(2_000);
  }

  propose(kind: ProposalKind, request: Uint8Array, origin: Origin = noOrigin): ApplyResult {
    const index = (this.database.applied.index + 1) as Index;
    const payload = encodeProposal({ kind, requestId: index, request, origin });
    const [result] = this.database.apply([{ index, term: 1 as Term, kind: 'command', payload }]);
    if (result!.kind === 'error') throw result.error;
    return result!;
  }

  put(key: string, value: string, options: Partial<PutRequest> = {}): ApplyResult {
    const request = PutRequest.create({ key: toBytes(key), value: toBytes(value), ...options });
    return this.propose('put', PutRequest.encode(request));
  }

  remove(key: string, rangeEnd = ''): ApplyResult {
    const request = DeleteRangeRequest.create({ key: toBytes(key), rangeEnd: toBytes(rangeEnd) });
    return this.propose('delete-range', DeleteRangeRequest.encode(request));
  }

  txn(request: Partial<TxnRequest>): TxnResponse {
    const result = this.propose('txn', TxnRequest.encode(TxnRequest.create(request)));
    if (result.kind !== 'txn') throw new Error(`answered as a ${result.kind}`);
    return result.response;
  }

  compact(revision: number): ApplyResult {
    return this.propose('compact', CompactionRequest.encode(CompactionRequest.create({ revision })));
  }

  range(key: string, rangeEnd = '', options: Partial<RangeRequest> = {}): RangeResponse {
    const request = RangeRequest.create({ key: toBytes(key), rangeEnd: toBytes(rangeEnd), ...options });
    return this.database.range(request);
  }

  /** The keys in a range, as `key=value`. */
  list(key: string, rangeEnd = '', options: Partial<RangeRequest> = {}): string[] {
    return this.range(key, rangeEnd, options).kvs.map(
      (kv) => `${Buffer.from(kv.key).toString()}=${Buffer.from(kv.value).toString()}`,
    );
  }

  /** The text of the error that `run` throws. */
  refusal(run: () => unknown): string {
    try {
      run();
    } catch (error) {
      if (error instanceof RpcError) return error.message;
      throw error;
    }
    return 'no error';
  }
}
