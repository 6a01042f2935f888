import { RangeResponse, TxnResponse } from '@flotilla/wire';
import type { KeyValue } from '@flotilla/wire';
import { DeleteRangeRequest, DeleteRangeResponse, etcdErrors, PutResponse, RpcError } from '@flotilla/wire';
import type { ApplyResult } from '../../src/apply-result.ts';
import { bytesToString, compareBytes } from '../../src/bytes.ts';
import { range } from '../../src/mvcc/range.ts';
import type { Change, MultiVersionState } from '../../src/mvcc/state.ts';
import { executeTxn } from '../../src/mvcc/txn.ts';
import { holdsKey } from '../../src/shard/key-span.ts';
import type { WriteRequest } from '../../src/shard/write-request.ts';
import type { Client } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { AdminOperation, OrderingHistory, ReadOperation, WriteOperation } from './history.ts';
import type { Watcher } from './hub.ts';
import { MemoryShardStore } from './memory-shard-store.ts';
import type { OrderingViolation } from './witness.ts';

/**
 * The judge. Revisions are dense, so it is one replay: writes in the order of their revisions on a single database, and
 * every answer held against that database at the revision that it names.
 */
export class Oracle {
  readonly #cluster: Cluster;
  readonly #history: OrderingHistory;
  readonly #state = new MemoryShardStore();
  readonly #events = new Map<number, Change[]>();
  #current: Change[] = [];
  /** The user and lease questions of the operation in replay. */
  #hasLease: (lease: bigint) => boolean = () => true;
  violation: OrderingViolation | null;

  constructor(cluster: Cluster, history: OrderingHistory) {
    this.#cluster = cluster;
    this.#history = history;
    this.violation = cluster.witness.violation;
    const { keys, attachments } = this.#state;
    keys.leases = {
      require: (lease) => {
        if (!this.#hasLease(lease)) throw etcdErrors.leaseNotFound;
      },
      moved: (key, from, to) => {
        if (from !== 0n) attachments.detach(from, key);
        if (to !== 0n) attachments.attach(to, key);
      },
    };
    keys.observer = { listening: true, changed: (change) => this.#current.push(change) };
  }

  /** What every revision did, once it is judged. */
  get events(): ReadonlyMap<number, readonly Change[]> {
    return this.#events;
  }

  judge(clients: readonly Client[], watchers: readonly Watcher[]): OrderingViolation | null {
    this.#progress(clients);
    if (this.violation === null) this.#replay();
    if (this.violation === null) this.#finalState();
    if (this.violation === null) this.#realTime();
    if (this.violation === null) this.#access();
    if (this.violation === null) this.#compactions();
    for (const watcher of watchers) if (this.violation === null) this.#watch(watcher);
    return this.violation;
  }

  #fail(name: string, message: string): void {
    this.violation ??= { name, message };
  }

  /** After healing everything is answered, numbered, unlocked and equal. */
  #progress(clients: readonly Client[]): void {
    for (const client of clients) if (!client.finished) this.#fail('a client waits for ever', client.status);
    const { order } = this.#order();
    for (const row of order.map.rows) {
      const group = this.#cluster.groups.get(row.shard);
      const replicas = [...(group?.replicas.values() ?? [])];
      if (group === undefined || replicas.length === 0) {
        this.#fail('a shard without replicas', `shard ${row.shard}`);
        continue;
      }
      let first: Uint8Array | null = null;
      for (const replica of replicas) {
        const { shard } = replica;
        const where = `shard ${row.shard} on node ${replica.node.id}`;
        if (!replica.applyThrough(group.log.length)) this.#fail('a replica that does not catch up', where);
        if (shard.prepared.size > 0)
          this.#fail('a lock left behind', `${where}: ${[...shard.prepared.keys()].join()}`);
        if (shard.waiting > 0) this.#fail('a request that waits for ever', where);
        if (shard.seq !== shard.numbered) this.#fail('a write that is never numbered', where);
        if (shard.barrier !== null) this.#fail('a barrier left behind', where);
        const bytes = replica.machine.encode();
        if (first !== null && compareBytes(first, bytes) !== 0) this.#fail('replicas differ', where);
        first = bytes;
        if (row.shard !== 0 && shard.ordered < (order.lastFact(row.shard, order.index) as number)) {
          this.#fail('a fact that is never logged', where);
        }
        const { span } = shard;
        const isMapped =
          compareBytes(span.from, row.span.from) === 0 &&
          bytesToString(span.to ?? noKey) === bytesToString(row.span.to ?? noKey);
        if (!isMapped) this.#fail('a range that is not the one of the map', where);
      }
    }
    for (const { lease } of order.leases.revoking()) this.#fail('a lease that never ends', `${lease}`);
  }

  #order(): { readonly order: Cluster['nodes'][number]['order'] } {
    const replicas = [...this.#cluster.orderGroup.replicas.values()];
    const [best] = replicas.sort((a, b) => b.applied - a.applied);
    return { order: (best as (typeof replicas)[number]).order };
  }

  // The replay.

  #replay(): void {
    const { witness } = this.#cluster;
    const last = this.#order().order.frontier;
    const answers = this.#unchangedByRevision();
    const reads = this.#readsByRevision();
    for (let revision = 1; revision <= last && this.violation === null; revision += 1) {
      if (revision > 1) this.#write(revision, witness.writers.get(revision));
      for (const operation of answers.get(revision) ?? []) this.#unchanged(operation, revision);
      for (const read of reads.get(revision) ?? []) this.#read(read, revision);
    }
    for (const [revision, operations] of answers) {
      if (revision > last || revision < 1) {
        this.#fail('an answer beyond the frontier', `${operations[0]?.name} at ${revision} of ${last}`);
      }
    }
  }

  #write(revision: number, writer: string | undefined): void {
    const { keys, attachments } = this.#state;
    this.#current = [];
    if (writer === undefined || writer.startsWith('lease ')) {
      const lease = this.#endedAt(revision, writer);
      if (lease === null) return this.#fail('a gap', `nobody has written revision ${revision}`);
      for (const key of attachments.keysOf(lease)) keys.executeDelete(DeleteRangeRequest.create({ key }));
      keys.end();
    } else {
      const operation = this.#history.writes.get(writer);
      if (operation === undefined) return this.#fail('a write from nowhere', `${writer} at ${revision}`);
      const result = this.#execute(operation, (id) => this.#livesAt(id, revision));
      const { answer } = operation;
      if (answer !== null && (!answer.effective || answer.revision !== revision)) {
        const said = answer.effective
          ? `revision ${answer.revision}`
          : `nothing changed, at ${answer.revision}`;
        return this.#fail(
          'answered otherwise than written',
          `${writer} is revision ${revision}; it was told: ${said}`,
        );
      }
      if (answer !== null) this.#compare(`${writer} at ${revision}`, answer.result, result);
    }
    if (keys.revision !== revision) {
      this.#fail(
        'a write that changes nothing where it stands',
        `${writer ?? 'a lease'} at revision ${revision}`,
      );
    }
    this.#events.set(revision, this.#current);
  }

  /** Of those that ended there without a transaction, the one that had keys. */
  #endedAt(revision: number, writer: string | undefined): bigint | null {
    if (writer !== undefined) return BigInt(writer.slice('lease '.length, writer.indexOf('@')));
    const ended = this.#cluster.witness.leases.filter((life) => life.removedRevision === revision);
    return ended.find(({ lease }) => this.#state.attachments.keysOf(lease).length > 0)?.lease ?? null;
  }

  #unchanged(operation: WriteOperation, revision: number): void {
    const { answer, name, startMs, endMs } = operation;
    if (answer === null) return;
    const { keys } = this.#state;
    if (isError(answer.result, etcdErrors.permissionDenied)) return;
    if (this.#cluster.witness.revisions.has(name)) {
      const written = this.#cluster.witness.revisions.get(name);
      return this.#fail(
        'answered «nothing changed», and written',
        `${name} at ${revision}, and written at ${written}`,
      );
    }
    // Whether a lease was there is a matter of the time between call and answer.
    const isTold = isError(answer.result, etcdErrors.leaseNotFound);
    const result = this.#execute(operation, (lease) =>
      isTold ? !this.#lacks(lease, startMs, endMs) : this.#livedBetween(lease, startMs, endMs),
    );
    if (keys.revision !== revision) {
      return this.#fail('answered «nothing changed», which is not so there', `${name} at ${revision}`);
    }
    this.#compare(`${name} at ${revision}`, answer.result, result);
  }

  #read({ kind, request, response }: ReadOperation, revision: number): void {
    if (response === null) return;
    const { keys } = this.#state;
    keys.settle();
    const wanted = range(keys, { ...request, revision: 0 });
    const expected = RangeResponse.create({ kvs: wanted.kvs, count: wanted.count });
    if (compareBytes(RangeResponse.encode(expected), RangeResponse.encode(response)) === 0) return;
    this.#fail(
      `a ${kind} read of another state`,
      `at ${revision}: ${describe(response.kvs)}; wanted ${describe(wanted.kvs)}`,
    );
  }

  #execute(operation: WriteOperation, hasLease: (lease: bigint) => boolean): ApplyResult {
    const { keys } = this.#state;
    this.#hasLease = hasLease;
    keys.compactRevision = this.#compactedFor(operation);
    try {
      return execute(keys, operation.write);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { kind: 'error', error };
    } finally {
      this.#hasLease = () => true;
      keys.compactRevision = -1;
    }
  }

  /** What was compacted for this call: surely, or possibly where it says so. */
  #compactedFor({ answer, startMs, endMs }: WriteOperation): number {
    const isTold = answer !== null && isError(answer.result, etcdErrors.compacted);
    const counted = this.#history.admin.filter(
      (one) => one.kind === 'compact' && (isTold ? one.startMs <= endMs : one.endMs < startMs),
    );
    return Math.max(-1, ...counted.map(({ revision }) => revision));
  }

  #compare(where: string, told: ApplyResult, wanted: ApplyResult): void {
    const [a, b] = [textOf(told), textOf(wanted)];
    if (a !== b) this.#fail('an answer that is not the state’s', `${where}: ${a}; wanted ${b}`);
  }

  #unchangedByRevision(): Map<number, WriteOperation[]> {
    const byRevision = new Map<number, WriteOperation[]>();
    for (const operation of this.#history.writes.values()) {
      const { answer, name } = operation;
      if (answer === null) continue;
      if (!answer.effective) push(byRevision, answer.revision, operation);
      else if (this.#cluster.witness.revisions.get(name) !== answer.revision) {
        this.#fail('an acknowledged write is lost', `${name} was told ${answer.revision}`);
      }
    }
    return byRevision;
  }

  #readsByRevision(): Map<number, ReadOperation[]> {
    const byRevision = new Map<number, ReadOperation[]>();
    for (const read of this.#history.reads) push(byRevision, read.revision, read);
    return byRevision;
  }

  // Leases.

  #livesAt(lease: bigint, revision: number): boolean {
    return this.#cluster.witness.leases.some(
      (life) => life.lease === lease && life.grantedRevision < revision && revision <= life.removedRevision,
    );
  }

  #livedBetween(lease: bigint, startMs: number, endMs: number): boolean {
    return this.#cluster.witness.leases.some(
      (life) => life.lease === lease && life.grantedAtMs <= endMs && startMs <= life.removedAtMs,
    );
  }

  /** Whether there was a time between the two at which the lease was not there. */
  #lacks(lease: bigint, startMs: number, endMs: number): boolean {
    const lives = this.#cluster.witness.leases.filter((life) => life.lease === lease);
    return !lives.some((life) => life.grantedAtMs < startMs && endMs < life.removedAtMs);
  }

  // The end.

  #finalState(): void {
    const { keys } = this.#state;
    keys.settle();
    for (const { shard, span } of this.#order().order.map.rows) {
      for (const replica of this.#cluster.groups.get(shard)?.replicas.values() ?? []) {
        const state = replica.shard.store.keys;
        const [have, want] = [allIn(state, span), allIn(keys, span)];
        if (have !== want) this.#fail('keys at the end', `shard ${shard}: ${have}; wanted ${want}`);
      }
    }
    const { witness } = this.#cluster;
    for (const { lease, removedAtMs } of witness.leases) {
      if (removedAtMs === Infinity || witness.lifeOf(lease) !== null) continue;
      if (this.#state.attachments.keysOf(lease).length > 0)
        this.#fail('a key outlives its lease', `${lease}`);
    }
  }

  /** What was answered before something began is part of what it sees. */
  #realTime(): void {
    const spans: { startMs: number; endMs: number; revision: number; own: boolean; name: string }[] = [];
    for (const { answer, startMs, endMs, name } of this.#history.writes.values()) {
      if (answer === null || answer.result.kind === 'error') continue;
      spans.push({ startMs, endMs, revision: answer.revision, own: answer.effective, name });
    }
    for (const { kind, startMs, endMs, revision } of this.#history.reads) {
      if (kind === 'read') spans.push({ startMs, endMs, revision, own: false, name: 'a read' });
    }
    const ended = [...spans].sort((a, b) => a.endMs - b.endMs);
    let newest = 0;
    let place = 0;
    for (const { startMs, revision, own, name } of spans.sort((a, b) => a.startMs - b.startMs)) {
      while (place < ended.length && (ended[place] as (typeof ended)[number]).endMs < startMs) {
        newest = Math.max(newest, (ended[place] as (typeof ended)[number]).revision);
        place += 1;
      }
      if (revision < newest + (own ? 1 : 0)) {
        this.#fail('against real time', `${name} at ${revision}, begun after ${newest} was answered`);
      }
    }
  }

  /** A user who may not write is refused from the answer on, and nobody else is. */
  #access(): void {
    const changes = this.#history.admin.filter(({ kind }) => kind === 'auth');
    for (const { name, user, answer, startMs, endMs } of this.#history.writes.values()) {
      if (user === null || answer === null) continue;
      const isDenied = isError(answer.result, etcdErrors.permissionDenied);
      if (
        !possible(
          changes.filter((change) => change.user === user),
          startMs,
          endMs,
          isDenied,
        )
      ) {
        this.#fail('permission', `${name} of ${user} ${isDenied ? 'was refused' : 'was let in'}`);
      }
    }
  }

  #compactions(): void {
    const compactions = this.#history.admin.filter(({ kind }) => kind === 'compact');
    for (const { kind, revision, response, startMs, endMs } of this.#history.reads) {
      if (kind === 'serializable') continue;
      if (response === null) {
        const isSaid = compactions.some((one) => one.revision > revision && one.startMs <= endMs);
        if (!isSaid) this.#fail('compacted without a compaction', `a read at ${revision}`);
        continue;
      }
      const isOver = compactions.some((one) => one.revision > revision && one.endMs < startMs);
      if (isOver) this.#fail('read below a compaction', `at ${revision}`);
    }
  }

  /** Exactly the history of its range. */
  #watch({ span, got, skipped, from }: Watcher): void {
    const wanted: string[] = [];
    for (const [revision, changes] of this.#events) {
      if (revision <= from || skipped.some((one) => revision >= one.from && revision < one.to)) continue;
      const inside = changes.filter(({ kv }) => holdsKey(span, kv.key));
      if (inside.length === 0) continue;
      inside.sort((a, b) => compareBytes(a.kv.key, b.kv.key));
      wanted.push(
        `${revision}: ${inside.map(({ kv, deleted }) => eventText(kv.key, deleted ? null : kv)).join()}`,
      );
    }
    const have = got.map(
      ({ revision, events }) => `${revision}: ${events.map(({ key, kv }) => eventText(key, kv)).join()}`,
    );
    const place = wanted.findIndex((text, i) => text !== have[i]);
    if (place < 0 && have.length === wanted.length) return;
    const at = place < 0 ? wanted.length : place;
    this.#fail('a watch', `got ${have[at] ?? 'nothing'}; wanted ${wanted[at] ?? 'nothing'}`);
  }
}

const noKey = new Uint8Array(0);

/** By its text: one that was written down and read again is another object. */
function isError(result: ApplyResult, error: RpcError): boolean {
  return result.kind === 'error' && result.error.message === error.message;
}

function execute(keys: MultiVersionState, write: WriteRequest): ApplyResult {
  switch (write.kind) {
    case 'put':
      return { kind: 'put', response: keys.put(write.request) };
    case 'delete-range':
      return { kind: 'delete-range', response: keys.deleteRange(write.request) };
    case 'txn':
      return { kind: 'txn', response: executeTxn(keys, write.request) };
    default:
      return write satisfies never;
  }
}

/** Whether there is a moment of the call at which the user was allowed, or was not. */
function possible(
  changes: readonly AdminOperation[],
  startMs: number,
  endMs: number,
  isDenied: boolean,
): boolean {
  // What was surely said before the call, and what may have been said before its end.
  const before = changes.filter((change) => change.endMs < startMs);
  const during = changes.filter((change) => change.startMs <= endMs && change.endMs >= startMs);
  // Of two changes at once either may be the later one.
  const lasts = before.filter((change) => !before.some((later) => later.startMs > change.endMs));
  const isSo = lasts.length === 0 ? !isDenied : lasts.some((change) => change.denied === isDenied);
  return isSo || during.some((change) => change.denied === isDenied);
}

function push<V>(map: Map<number, V[]>, key: number, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function textOf(result: ApplyResult): string {
  if (result.kind === 'put') return bytesText(PutResponse.encode(result.response));
  if (result.kind === 'delete-range') return bytesText(DeleteRangeResponse.encode(result.response));
  if (result.kind === 'txn') return bytesText(TxnResponse.encode(result.response));
  return result.kind === 'error' ? result.error.message : result.kind;
}

function bytesText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte > 32 && byte < 127 ? String.fromCharCode(byte) : `\\${byte}`;
  return text;
}

function allIn(state: MultiVersionState, span: { from: Uint8Array; to: Uint8Array | null }): string {
  const kvs: KeyValue[] = [];
  const cursor = state.layers.scanLatest({ ...span, reverse: false });
  for (; cursor.key !== null; cursor.advance()) kvs.push(cursor.value);
  return describe(kvs);
}

function describe(kvs: readonly KeyValue[]): string {
  return kvs
    .map(
      ({ key, value, modRevision, createRevision, version, lease }) =>
        `${bytesToString(key)}=${bytesToString(value)}@${modRevision}/${createRevision}/${version}${lease === 0n ? '' : `+${lease}`}`,
    )
    .join(' ');
}

function eventText(key: Uint8Array, kv: KeyValue | null): string {
  return kv === null ? `-${bytesToString(key)}` : describe([kv]);
}
