import { describeVerdict, History } from '@flotilla/check';
import type { EtcdRequest, EtcdResponse } from '@flotilla/check';
import { FlotillaError, type Random, seededRandom } from '@flotilla/platform';
import { holdsKey, isReadOnly, noOrigin, orderShard, type RangeChange, type ShardRow } from '@flotilla/store';
import {
  DeleteRangeRequest,
  etcdErrors,
  LeaseGrantRequest,
  PutRequest,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import type { EtcdHistory } from '../../simulation/cluster/client.ts';
import {
  deleteMessage,
  deleteResult,
  putMessage,
  putResult,
  rangeMessage,
  rangeResult,
  revisionOf,
  txnMessage,
  txnResult,
} from '../../simulation/cluster/etcd-messages.ts';
import { everywhere } from '../../simulation/transactions/everywhere.ts';
import { judgeTransactions } from '../../simulation/transactions/judge-transactions.ts';
import { letters, splitKeys } from '../../simulation/transactions/key-spread.ts';
import type { Workload } from '../../simulation/transactions/workload.ts';
import { workloads } from '../../simulation/transactions/workloads.ts';
import { MemoryShards } from '../../test/support/memory-shards.ts';
import { ShardedBackend } from './sharded-backend.ts';

const clients = 5;
const requestTimeoutMs = 5_000;
const leaseTtlSeconds = 100_000;
/** No split and no merge takes so long. */
const changeMs = 500;

/** Clients of a workload on many shards in memory, which are split and merged all the while. */
class WorkloadRun {
  readonly #shards: MemoryShards;
  readonly #backends: readonly ShardedBackend[];
  readonly #random: Random;
  readonly #history: EtcdHistory;
  readonly #workload: Workload;
  /** At one moment of virtual time many things happen one after the other. */
  #events = 0;
  changes = 0;

  constructor(workload: Workload, seed: number) {
    this.#workload = workload;
    this.#random = seededRandom(seed);
    this.#history = new History(() => (this.#events += 1));
    this.#shards = new MemoryShards(seed, 3, splitKeys(6), 2);
    const { platform, nodes } = this.#shards;
    this.#backends = nodes.map((node) => {
      const parts = { platform, node, timeoutMs: requestTimeoutMs, pieceBytes: 1_000 };
      return new ShardedBackend({
        ...parts,
        isCurrent: () => false,
        renewed: () => null,
        mayEverything: () => false,
        requireKeys: () => undefined,
      });
    });
  }

  async play(errands: number): Promise<string[]> {
    let running = clients;
    const each = Array.from({ length: clients }, async (_, number) => {
      await this.#client(number, errands);
      running -= 1;
    });
    const all = Promise.all(each);
    const over = all.then(() => this.#ask(clients, this.#backends[0] as ShardedBackend, everywhere('last')));
    const reshaping = this.#reshape(() => running > 0);
    expect(await this.#shards.run(over), 'a last transaction over all shards').not.toBeNull();
    await this.#shards.run(reshaping);
    this.#shards.stop();
    const verdicts = judgeTransactions(this.#workload, this.#history.calls, null);
    return [...verdicts].flatMap(([name, verdict]) =>
      verdict.outcome === 'ok' ? [] : [`${name}: ${describeVerdict(verdict)}`],
    );
  }

  get answered(): number {
    return this.#history.calls.filter(({ outcome }) => outcome.type === 'returned').length;
  }

  async #client(number: number, errands: number): Promise<void> {
    const random = this.#random.fork(`client ${number}`);
    const backend = (): ShardedBackend => this.#backends[random.below(3)] as ShardedBackend;
    for (const id of this.#workload.leases) {
      const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id, ttl: leaseTtlSeconds }));
      const result = await backend().execute('lease-grant', grant, noOrigin);
      if (result.kind === 'error') expect(result.error).toBe(etcdErrors.leaseExists);
    }
    for (const request of this.#workload.beginning) await this.#ask(number, backend(), request);
    const client = this.#workload.client(number);
    // And until a change has come between: it may be the first that takes its time.
    const isEnough = (errand: number): boolean =>
      errand >= errands && (this.changes > 0 || errand >= 8 * errands);
    for (let errand = 0; !isEnough(errand); errand += 1) {
      await this.#pause(random.below(20));
      await client.errand(
        (request) => this.#ask(number, backend(), request),
        (bound) => random.below(bound),
      );
    }
  }

  async #ask(number: number, backend: ShardedBackend, request: EtcdRequest): Promise<EtcdResponse | null> {
    const id = this.#history.call(number, request);
    try {
      const response = await perform(backend, request);
      this.#history.returned(id, response);
      return response;
    } catch (error) {
      if (!(error instanceof RpcError) && !(error instanceof FlotillaError)) throw error;
      this.#history.unknown(id, error.message);
      return null;
    }
  }

  async #reshape(goesOn: () => boolean): Promise<void> {
    const random = this.#random.fork('reshape');
    while (goesOn()) {
      await this.#pause(random.below(30));
      const order = this.#shards.groups.get(orderShard)?.leader.order;
      if (order === undefined) return;
      const change = this.#change(order.map.rows, random);
      if (change === null) continue;
      const { map } = order;
      const range = map.row(change.shard)?.range ?? 0;
      this.#shards.groups.get(change.shard)?.appendOwn({ kind: 'barrier', change, range });
      for (let i = 0; order.map === map && i < changeMs; i += 1) await this.#pause(1);
      // (A child may have been asked that nobody leads yet, or one that does not know its range yet.)
      if (order.map !== map) this.changes += 1;
    }
  }

  #change(rows: readonly ShardRow[], random: Random): RangeChange | null {
    const row = rows[random.below(rows.length)] as ShardRow;
    const next = rows[rows.indexOf(row) + 1];
    const letter = letters[random.below(letters.length)] as string;
    const at = Buffer.from(random.below(2) === 0 ? letter : `${letter}/m`);
    if (rows.length < 12 && holdsKey(row.span, at) && Buffer.compare(at, row.span.from) > 0) {
      return { kind: 'split', shard: row.shard, at };
    }
    if (next === undefined || next.shard === orderShard) return null;
    // A replica of the survivor takes over what is on its own node.
    const isTogether = row.nodes.every((node) => next.nodes.includes(node));
    return isTogether ? { kind: 'merge', shard: next.shard, into: row.shard } : null;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#shards.platform.timer(ms, 'pause', resolve));
  }
}

async function perform(backend: ShardedBackend, request: EtcdRequest): Promise<EtcdResponse> {
  switch (request.type) {
    case 'range': {
      await backend.readBarrier();
      const response = await backend.range(rangeMessage(request));
      return { ...rangeResult(response), revision: revisionOf(response.header) };
    }
    case 'txn': {
      const message = txnMessage(request);
      if (isReadOnly(message)) {
        await backend.readBarrier();
        const response = await backend.readTxn(message);
        return { ...txnResult(response), revision: revisionOf(response.header) };
      }
      const result = await backend.execute('txn', TxnRequest.encode(message), noOrigin);
      if (result.kind === 'error') throw result.error;
      if (result.kind !== 'txn') throw new Error(`a transaction was answered with ${result.kind}`);
      return { ...txnResult(result.response), revision: revisionOf(result.response.header) };
    }
    case 'put': {
      const result = await backend.execute('put', PutRequest.encode(putMessage(request)), noOrigin);
      if (result.kind === 'error') throw result.error;
      if (result.kind !== 'put') throw new Error(`a put was answered with ${result.kind}`);
      return { ...putResult(result.response), revision: revisionOf(result.response.header) };
    }
    case 'delete-range': {
      const bytes = DeleteRangeRequest.encode(deleteMessage(request));
      const result = await backend.execute('delete-range', bytes, noOrigin);
      if (result.kind === 'error') throw result.error;
      if (result.kind !== 'delete-range') throw new Error(`a deletion was answered with ${result.kind}`);
      return { ...deleteResult(result.response), revision: revisionOf(result.response.header) };
    }
    case 'compact':
      throw new Error('no workload compacts');
  }
}

for (const [at, workload] of workloads.entries()) {
  test(`${workload.name}: strictly serializable over shards that are split and merged`, async () => {
    const run = new WorkloadRun(workload, at + 1);
    expect(await run.play(8)).toEqual([]);
    expect(run.answered).toBeGreaterThan(40);
    expect(run.changes).toBeGreaterThan(0);
  });
}
