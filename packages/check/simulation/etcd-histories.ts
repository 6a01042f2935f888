import type { Random } from '@flotilla/platform';
import { execute } from '../src/etcd/execute.ts';
import { KeySpace } from '../src/etcd/key-space.ts';
import {
  deleteRange,
  isEffective,
  put,
  range,
  type Compare,
  type EtcdCall,
  type EtcdRequest,
  type EtcdResponse,
  type KeyValue,
  type RevisionEvents,
  type TxnOperation,
  type TxnResult,
} from '../src/etcd/requests.ts';
import { History } from '../src/history.ts';
import type { HistoryShape } from './register-histories.ts';

/** `per-key`: only requests that are about one key, as `perKeyCalls` picks them. */
export type RequestKinds = 'all' | 'per-key';

export interface EtcdRun {
  readonly calls: EtcdCall[];
  /** What was really written. */
  readonly revisions: readonly RevisionEvents[];
}

interface OpenCall {
  readonly id: number;
  readonly client: number;
  readonly request: TxnOperation;
  readonly lost: boolean;
  response: EtcdResponse | null;
}

/** A history of an etcd that really was strictly serializable; serializable reads come from an old state. */
export function etcdHistory(random: Random, shape: HistoryShape, kinds: RequestKinds = 'all'): EtcdRun {
  let time = 0;
  const history = new History<EtcdRequest, EtcdResponse>(() => (time += random.below(2)));
  const store = new SimulatedEtcd(keys(shape));
  const open: OpenCall[] = [];
  const idle = Array.from({ length: shape.clients }, (_, client) => client);
  let made = 0;
  while (made < shape.calls || open.length > 0) {
    if (made < shape.calls && idle.length > 0 && (open.length === 0 || random.below(2) === 0)) {
      const client = idle.splice(random.below(idle.length), 1)[0]!;
      const request =
        kinds === 'all' ? randomRequest(random, shape, store.revision) : perKeyRequest(random, shape, store);
      const lost = random.below(100) < shape.lostPercent;
      open.push({ id: history.call(client, request), client, request, lost, response: null });
      made += 1;
      continue;
    }
    const position = random.below(open.length);
    const call = open[position]!;
    if (call.response === null && !(call.lost && random.below(3) === 0)) {
      call.response = store.execute(random, call.request);
      continue;
    }
    open.splice(position, 1);
    idle.push(call.client);
    if (call.lost || call.response === null) history.unknown(call.id, 'answer lost');
    else history.returned(call.id, call.response);
  }
  return { calls: [...history.calls], revisions: store.revisions };
}

/** One etcd, as its documentation says. Keeps every revision, to answer old reads. */
class SimulatedEtcd {
  readonly #space: KeySpace;
  readonly #marks: number[] = [];
  readonly revisions: RevisionEvents[] = [];
  revision = 1;

  constructor(names: readonly string[]) {
    this.#space = new KeySpace(names);
    this.#marks[1] = this.#space.mark();
  }

  execute(random: Random, request: TxnOperation): EtcdResponse {
    if (request.type === 'range' && request.serializable) {
      const seen = Math.max(1, request.revision, this.revision - random.below(4));
      return this.#readAt(request, request.revision || seen, seen);
    }
    if (request.type === 'range' && request.revision > 0) {
      return this.#readAt(request, request.revision, this.revision);
    }
    const execution = execute(this.#space, request, this.revision + 1)!;
    if (execution.events.length > 0) {
      this.revision += 1;
      this.#marks[this.revision] = this.#space.mark();
      this.revisions.push({ revision: this.revision, events: execution.events });
    }
    return { ...execution.result, revision: this.revision };
  }

  /** What somebody might have learned of a key, by any read: when it was modified last. */
  modRevision(key: string): number {
    return this.#space.get(key)?.modRevision ?? 0;
  }

  #readAt(request: TxnOperation, at: number, header: number): EtcdResponse {
    this.#space.undo(this.#marks[at]!);
    const { result } = execute(this.#space, request, 0)!;
    for (const { revision, events } of this.revisions) {
      if (revision > at) this.#space.apply(events);
    }
    return { ...result, revision: header };
  }
}

/** One or two answers are changed, or a call's times, or the request itself. */
export function corruptEtcdHistory(random: Random, calls: readonly EtcdCall[]): EtcdCall[] {
  const corrupted = [...calls];
  if (corrupted.length === 0) return corrupted;
  const changes = 1 + random.below(2);
  for (let change = 0; change < changes; change += 1) {
    const position = random.below(corrupted.length);
    corrupted[position] = corruptCall(random, corrupted[position]!);
  }
  return corrupted;
}

/** A persisted order with one thing wrong. */
export function corruptRevisions(random: Random, revisions: readonly RevisionEvents[]): RevisionEvents[] {
  const corrupted = [...revisions];
  if (corrupted.length === 0) return corrupted;
  const position = random.below(corrupted.length);
  const victim = corrupted[position]!;
  switch (random.below(3)) {
    case 0:
      return corrupted.slice(0, position);
    case 1: {
      const other = corrupted[random.below(corrupted.length)]!;
      corrupted[position] = { ...victim, events: other.events };
      return corrupted;
    }
    default: {
      const events = victim.events.map((event) =>
        event.type === 'put' ? { ...event, kv: corruptKeyValue(random, event.kv) } : event,
      );
      corrupted[position] = { ...victim, events };
      return corrupted;
    }
  }
}

function corruptCall(random: Random, call: EtcdCall): EtcdCall {
  const { outcome } = call;
  if (outcome.type !== 'returned' || outcome.result.type === 'error') return shifted(random, call);
  const { result } = outcome;
  if (result.type === 'compact' || random.below(4) === 0) return shifted(random, call);
  if (random.below(6) === 0) return { ...call, outcome: { type: 'unknown', reason: 'corrupted' } };
  const changed =
    random.below(3) === 0
      ? { ...result, revision: Math.max(1, result.revision + random.below(3) - 1) }
      : { ...corruptResult(random, result), revision: result.revision };
  return { ...call, outcome: { ...outcome, result: changed } };
}

function corruptResult(random: Random, result: TxnResult): TxnResult {
  switch (result.type) {
    case 'range': {
      if (result.kvs.length > 0 && random.below(2) === 0) {
        const kvs = result.kvs.map((kv) => (random.below(2) === 0 ? corruptKeyValue(random, kv) : kv));
        return { ...result, kvs };
      }
      if (result.kvs.length > 0 && random.below(2) === 0) {
        return { ...result, kvs: result.kvs.slice(1), count: result.count - 1 };
      }
      return { ...result, count: Math.max(0, result.count + random.below(3) - 1) };
    }
    case 'put':
      return { type: 'put', prevKv: result.prevKv === null ? null : corruptKeyValue(random, result.prevKv) };
    case 'delete-range':
      return { ...result, deleted: Math.max(0, result.deleted + random.below(3) - 1) };
    case 'txn':
      return { ...result, responses: result.responses.map((nested) => corruptResult(random, nested)) };
  }
}

function corruptKeyValue(random: Random, kv: KeyValue): KeyValue {
  switch (random.below(4)) {
    case 0:
      return { ...kv, value: `v${random.below(3)}` };
    case 1:
      return { ...kv, modRevision: Math.max(2, kv.modRevision + random.below(3) - 1) };
    case 2:
      return { ...kv, version: Math.max(1, kv.version + random.below(3) - 1) };
    default:
      return { ...kv, createRevision: Math.max(2, kv.createRevision + random.below(3) - 1) };
  }
}

function shifted(random: Random, call: EtcdCall): EtcdCall {
  const by = random.below(9) - 4;
  const { outcome } = call;
  return {
    ...call,
    calledAt: call.calledAt + by,
    outcome: outcome.type === 'unknown' ? outcome : { ...outcome, at: outcome.at + by },
  };
}

function keys(shape: HistoryShape): string[] {
  return Array.from({ length: shape.keys }, (_, key) => `k${key}`);
}

function randomRequest(random: Random, shape: HistoryShape, revision: number): TxnOperation {
  const roll = random.below(12);
  if (roll < 9) return randomSimpleRequest(random, shape, revision, roll);
  return {
    type: 'txn',
    compare: [randomCompare(random, shape, revision)],
    success: [randomSimpleRequest(random, shape, 0, random.below(6))],
    failure: random.below(2) === 0 ? [] : [randomSimpleRequest(random, shape, 0, 8)],
  };
}

function perKeyRequest(random: Random, shape: HistoryShape, store: SimulatedEtcd): TxnOperation {
  const key = `k${random.below(shape.keys)}`;
  const value = `v${random.below(shape.values)}`;
  const roll = random.below(10);
  if (roll < 3) return range(key);
  if (roll < 5) return put(key, value);
  if (roll < 6) return deleteRange(key);
  const modRevision = random.below(4) === 0 ? random.below(store.revision + 1) : store.modRevision(key);
  return {
    type: 'txn',
    compare: [{ key, rangeEnd: '', result: 'equal', target: { type: 'mod', value: modRevision } }],
    success: [put(key, value)],
    failure: [range(key)],
  };
}

function randomSimpleRequest(
  random: Random,
  shape: HistoryShape,
  revision: number,
  roll: number,
): TxnOperation {
  const key = `k${random.below(shape.keys)}`;
  const rangeEnd = random.below(3) === 0 ? `k${shape.keys}` : '';
  if (roll < 4) return put(key, `v${random.below(shape.values)}`, { prevKv: random.below(2) === 0 });
  if (roll < 6) return deleteRange(key, { rangeEnd, prevKv: random.below(2) === 0 });
  return range(key, {
    rangeEnd,
    limit: random.below(3),
    serializable: revision > 0 && random.below(4) === 0,
    revision: random.below(4) === 0 ? random.below(revision + 1) : 0,
    keysOnly: random.below(8) === 0,
    countOnly: random.below(8) === 0,
  });
}

function randomCompare(random: Random, shape: HistoryShape, revision: number): Compare {
  const key = `k${random.below(shape.keys)}`;
  switch (random.below(4)) {
    case 0:
    case 1:
      // «Create if absent», the transaction that everybody writes.
      return { key, rangeEnd: '', result: 'equal', target: { type: 'version', value: 0 } };
    case 2:
      return {
        key,
        rangeEnd: '',
        result: 'greater',
        target: { type: 'mod', value: random.below(revision + 1) },
      };
    default:
      return {
        key,
        rangeEnd: '',
        result: 'equal',
        target: { type: 'value', value: `v${random.below(shape.values)}` },
      };
  }
}

/** Whether the history has a read whose judgement the plain search leaves out. */
export function isPlain(call: EtcdCall): boolean {
  return !(call.operation.type === 'range' && call.operation.serializable);
}

/** Whether an answer tells of a change. */
export function isWrite(call: EtcdCall): boolean {
  const { outcome } = call;
  return outcome.type === 'returned' && outcome.result.type !== 'error' && isEffective(outcome.result);
}
