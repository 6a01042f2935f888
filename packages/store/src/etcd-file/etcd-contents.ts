import { AlarmMember, KeyValue, Role, User } from '@flotilla/wire';
import { AuthRecords } from '../auth/auth-records.ts';
import { AlarmRecords } from '../cluster/alarm-records.ts';
import { compareBytes, emptyBytes } from '../bytes.ts';
import { textToBytes } from '../encoding/text.ts';
import { keptRecords } from '../hash/kept-records.ts';
import { revisionKey } from '../hash/hash-kv.ts';
import type { OrderedRecord } from '../hash/record-stream.ts';
import { type Lease, type LeaseReader, LeaseRecords } from '../leases/lease-records.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { SystemTable } from '../system/system-table.ts';
import { encodeLeaseRecord } from './lease-record.ts';

/** What etcd's file says of the cluster; the state does not know it. */
export interface EtcdClusterFacts {
  /** `3.7.0`: major and minor count. */
  readonly clusterVersion: string;
  /** Whose names and formats the file has. */
  readonly storageVersion: string;
  readonly members: readonly EtcdMemberFacts[];
  readonly removedMembers: readonly bigint[];
}

export interface EtcdMemberFacts {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** Takes buckets in the order of their names, and keys in theirs: a file, or a hash. */
export interface BucketSink {
  beginBucket(name: string): void;
  put(key: Uint8Array, value: Uint8Array): void;
  endBucket(): void;
}

/** A view of the state and where it stands in the log. */
export interface EtcdContentsSource {
  readonly point: ReadPoint;
  readonly applied: LogPosition;
  readonly facts: EtcdClusterFacts;
  /** Those of the system table, unless given. */
  readonly leases?: Pick<LeaseReader, 'all'> | null;
}

/** The keys of a sharded cluster, whose shards are elsewhere. */
export interface ShardedContents {
  readonly records: AsyncIterable<OrderedRecord>;
  readonly compactRevision: number;
}

/**
 * Puts a whole state into a sink as etcd 3.7 would have it in its backend; etcd 3.4 reads it, too. In steps: yields
 * where others may have their turn. Client sessions are ours alone and stay behind.
 */
export function* writeEtcdContents(sink: BucketSink, source: EtcdContentsSource): Generator<void> {
  writeBeforeKeys(sink, source);
  sink.beginBucket('key');
  for (const record of keptRecords(source.point)) {
    if (record !== null) {
      const { revision, sub, deleted, kv } = record;
      sink.put(revisionKey(revision, sub, deleted), KeyValue.encode(kv));
    }
    yield;
  }
  sink.endBucket();
  yield* writeAfterKeys(sink, source, source.point.compactRevision);
}

/** The same where the keys are in many shards. The rest is group 0's. */
export async function writeShardedContents(
  sink: BucketSink,
  source: EtcdContentsSource,
  { records, compactRevision }: ShardedContents,
): Promise<void> {
  writeBeforeKeys(sink, source);
  sink.beginBucket('key');
  for await (const { revision, sub, deleted, kv } of records)
    sink.put(revisionKey(revision, sub, deleted), kv);
  sink.endBucket();
  for (const _ of writeAfterKeys(sink, source, compactRevision));
}

function writeBeforeKeys(sink: BucketSink, { point, facts }: EtcdContentsSource): void {
  const system = new SystemTable(point, true);
  sink.beginBucket('alarm');
  const alarms = new AlarmRecords(system).all().map((alarm) => AlarmMember.encode(alarm));
  for (const alarm of alarms.sort(compareBytes)) sink.put(alarm, emptyBytes);
  sink.endBucket();
  writeAuth(sink, new AuthRecords(system));
  sink.beginBucket('cluster');
  sink.put(textToBytes('clusterVersion'), textToBytes(facts.clusterVersion));
  sink.endBucket();
}

function* writeAfterKeys(
  sink: BucketSink,
  source: EtcdContentsSource,
  compactRevision: number,
): Generator<void> {
  const { facts } = source;
  sink.beginBucket('lease');
  for (const { id, ttl, remaining } of leasesOf(source)) {
    // No checkpoint is a remaining time of 0.
    const remainingTtl = remaining === ttl ? 0 : remaining;
    sink.put(uint64(BigInt.asUintN(64, id)), encodeLeaseRecord({ id, ttl, remainingTtl }));
    yield;
  }
  sink.endBucket();
  writeMembers(sink, facts);
  writeMeta(sink, source, compactRevision);
}

/** In the order of their ids as unsigned numbers. */
function leasesOf({ point, leases = null }: EtcdContentsSource): Iterable<Lease> {
  if (leases === null) return new LeaseRecords(new SystemTable(point, true)).all();
  return [...leases.all()].sort((a, b) => (BigInt.asUintN(64, a.id) < BigInt.asUintN(64, b.id) ? -1 : 1));
}

function writeAuth(sink: BucketSink, auth: AuthRecords): void {
  sink.beginBucket('auth');
  sink.put(textToBytes('authEnabled'), new Uint8Array([auth.enabled ? 1 : 0]));
  sink.put(textToBytes('authRevision'), uint64(BigInt(auth.revision)));
  sink.endBucket();
  sink.beginBucket('authRoles');
  for (const name of auth.roleNames) sink.put(textToBytes(name), Role.encode(auth.role(name) as Role));
  sink.endBucket();
  sink.beginBucket('authUsers');
  for (const name of auth.userNames) sink.put(textToBytes(name), User.encode(auth.user(name) as User));
  sink.endBucket();
}

/** Field names and order are those of etcd's `membership.Member`. */
function writeMembers(sink: BucketSink, { members, removedMembers }: EtcdClusterFacts): void {
  sink.beginBucket('members');
  for (const [key, member] of byHexId(members.map((member) => [member.id, member] as const))) {
    const { peerUrls, name, clientUrls, isLearner } = member;
    const fields = [
      `"id":${member.id}`,
      `"peerURLs":${JSON.stringify(peerUrls)}`,
      ...(isLearner ? ['"isLearner":true'] : []),
      ...(name === '' ? [] : [`"name":${JSON.stringify(name)}`]),
      ...(clientUrls.length === 0 ? [] : [`"clientURLs":${JSON.stringify(clientUrls)}`]),
    ];
    sink.put(textToBytes(key), textToBytes(`{${fields.join(',')}}`));
  }
  sink.endBucket();
  sink.beginBucket('members_removed');
  for (const [key] of byHexId(removedMembers.map((id) => [id, null] as const))) {
    sink.put(textToBytes(key), textToBytes('removed'));
  }
  sink.endBucket();
}

function writeMeta(sink: BucketSink, { applied, facts }: EtcdContentsSource, compactRevision: number): void {
  sink.beginBucket('meta');
  sink.put(textToBytes('confState'), textToBytes(confState(facts.members)));
  sink.put(textToBytes('consistent_index'), uint64(BigInt(applied.index)));
  if (compactRevision > 0) {
    sink.put(textToBytes('finishedCompactRev'), revisionKey(compactRevision, 0, false));
    sink.put(textToBytes('scheduledCompactRev'), revisionKey(compactRevision, 0, false));
  }
  sink.put(textToBytes('storageVersion'), textToBytes(facts.storageVersion));
  sink.put(textToBytes('term'), uint64(BigInt(applied.term)));
  sink.endBucket();
}

/** `raftpb.ConfState` in Go's JSON: ids are bare numbers, larger than JavaScript's. */
function confState(members: readonly EtcdMemberFacts[]): string {
  const ids = (learners: boolean): string =>
    members
      .filter((member) => member.isLearner === learners)
      .map(({ id }) => id)
      .sort((a, b) => (a < b ? -1 : 1))
      .join(',');
  const learners = ids(true);
  return `{"voters":[${ids(false)}],${learners === '' ? '' : `"learners":[${learners}],`}"auto_leave":false}`;
}

/** Sorted as the bytes of the names are. */
function byHexId<V>(entries: readonly (readonly [bigint, V])[]): (readonly [string, V])[] {
  return entries.map(([id, value]) => [id.toString(16), value] as const).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
