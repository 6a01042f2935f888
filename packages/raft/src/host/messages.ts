import { assert, unreachable } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import type {
  Configuration,
  Entry,
  EntryKind,
  Index,
  NodeId,
  PeerMessage,
  Ref,
  RefusalReason,
  SnapshotMeta,
  Term,
} from '../core/types.ts';
import { ByteReader, malformed } from './bytes.ts';
import type { ByteWriter } from './bytes.ts';
import type { GroupId } from './types.ts';

/**
 * What members say to each other after the handshake: the cores' messages, and the hosts' own. A batch frame is a
 * plain sequence of them. `from` and `to` do not travel: they are the two ends of the connection, so that no member
 * can speak for another.
 */
export type HostMessage =
  | { readonly type: 'raft'; readonly group: GroupId; readonly message: PeerMessage }
  /** Life, and which groups the sender leads; null: the same as it said last on this connection. */
  | {
      readonly type: 'heartbeat';
      readonly leads: readonly Leadership[] | null;
      /** null: the sender has leases off, and promises nothing. */
      readonly lease: LeaseBeat | null;
    }
  /** The sender did not take the receiver's forwarded message number `forward`: its proposals may be made again. */
  | {
      readonly type: 'propose-refused';
      readonly group: GroupId;
      readonly forward: number;
      readonly kind: Exclude<EntryKind, 'no-op'>;
      readonly reason: RefusalReason;
      readonly sequences: readonly number[];
    }
  /** The sender has no state and asks for a snapshot at `minIndex` or later. */
  | {
      readonly type: 'snapshot-request';
      readonly group: GroupId;
      readonly minIndex: Index;
      /** It has a state, and no leader: it asks in case that it has missed a change of membership. */
      readonly lags: boolean;
    }
  | {
      readonly type: 'snapshot-begin';
      readonly group: GroupId;
      /** Numbers the transfers of one sender's life. */
      readonly transfer: number;
      /** Term and session in which the leader's core asked for it; both 0 when the receiver did. */
      readonly term: Term;
      readonly session: number;
      /** The connection broke in the middle: the receiver says with `snapshot-resume` from where to go on. */
      readonly resumes: boolean;
      readonly meta: SnapshotMeta;
    }
  | {
      readonly type: 'snapshot-chunk';
      readonly transfer: number;
      /** From 0. */
      readonly number: number;
      /** Over these bytes. */
      readonly checksum: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: 'snapshot-end';
      readonly transfer: number;
      readonly chunks: number;
      readonly sizeBytes: number;
      /** Over all chunks. */
      readonly checksum: number;
    }
  /** The sender gives up. */
  | { readonly type: 'snapshot-cancel'; readonly transfer: number; readonly failure: SnapshotFailure }
  /** The receiver has written this many chunks: the sender's window moves. */
  | { readonly type: 'snapshot-progress'; readonly transfer: number; readonly chunks: number }
  /** So much of a transfer that was cut is written here: it goes on from there. */
  | {
      readonly type: 'snapshot-resume';
      readonly transfer: number;
      readonly chunks: number;
      readonly sizeBytes: number;
    }
  /** null: it is installed and durable. */
  | {
      readonly type: 'snapshot-result';
      readonly transfer: number;
      readonly failure: SnapshotFailure | null;
    };

export interface Leadership {
  readonly group: GroupId;
  readonly term: Term;
}

/** What leases are made of, see `lease.ts`. */
export interface LeaseBeat {
  /** Numbers the heartbeats of the sender's life to the receiver, from 1. */
  readonly sequence: number;
  /** The last one of the receiver's that the sender has heard on this connection; 0: none. */
  readonly echo: number;
  /** From when it heard that one, by its own clock, the sender elects nobody else for so long. */
  readonly promiseMs: number;
  /** Groups that the receiver says it leads, for which the sender promises nothing. */
  readonly except: readonly GroupId[];
}

/** Why a snapshot did not arrive. Position is what travels: only ever append. */
export const snapshotFailures = [
  /** It brings nothing that the receiver lacks, or comes from a member whose snapshots were damaged. */
  'FLOTILLA_SNAPSHOT_REFUSED',
  /** Another one is coming in. */
  'FLOTILLA_SNAPSHOT_BUSY',
  /** A chunk or the whole is not what its checksum says. */
  'FLOTILLA_SNAPSHOT_DAMAGED',
  /** The stream broke for too long, stalled, or can no longer be resumed. */
  'FLOTILLA_SNAPSHOT_CUT',
  /** The sender's state machine cannot read its own state. */
  'FLOTILLA_SNAPSHOT_UNREADABLE',
  /** The receiver is older than the sender, and cannot read what that writes. */
  'FLOTILLA_SNAPSHOT_VERSION',
] as const satisfies readonly ErrorCode[];

export type SnapshotFailure = (typeof snapshotFailures)[number];

const codes = {
  'pre-vote': 1,
  vote: 2,
  'pre-vote-response': 3,
  'vote-response': 4,
  append: 5,
  'append-response': 6,
  heartbeat: 7,
  'heartbeat-response': 8,
  propose: 10,
  'read-index': 11,
  'read-index-response': 12,
  'transfer-leader': 13,
  'timeout-now': 14,
} as const satisfies Record<Exclude<PeerMessage['type'], 'install-snapshot'>, number>;

const hostCodes = {
  heartbeat: 64,
  'propose-refused': 65,
  'snapshot-request': 66,
  'snapshot-begin': 67,
  'snapshot-chunk': 68,
  'snapshot-end': 69,
  'snapshot-cancel': 70,
  'snapshot-progress': 71,
  'snapshot-result': 72,
  'snapshot-resume': 73,
} as const satisfies Record<Exclude<HostMessage['type'], 'raft'>, number>;

const entryKinds: readonly EntryKind[] = ['command', 'no-op', 'membership'];
/** Position is what travels: only ever append. */
export const refusalReasons = [
  'no-leader',
  'uncommitted-bytes',
  'too-large',
  'transferring',
  'change-pending',
  'term-not-committed',
  'id-reused',
  'learner-behind',
  'invalid-change',
  'not-ready',
] as const satisfies readonly RefusalReason[];
/** Term, kind and length. */
const entryHeaderBytes = 13;

/**
 * `install-snapshot` never travels as a message: it tells a core that the data is in, so only the host that has taken in
 * the data may make it.
 */
export function encodeRaftMessage(writer: ByteWriter, group: GroupId, message: PeerMessage): void {
  assert(message.type !== 'install-snapshot', 'a snapshot is announced by its transfer');
  writer.u8(codes[message.type]);
  writer.u32(group);
  writer.u53(message.term);
  switch (message.type) {
    case 'append':
      writer.u53(message.session);
      writer.u53(message.previousIndex);
      writer.u53(message.previousTerm);
      writer.u53(message.commit);
      writer.u8(message.topPriority);
      encodeEntries(writer, message.previousIndex, message.entries);
      return;
    case 'append-response':
      writer.u53(message.session);
      writer.u53(message.index);
      writer.u8(message.rejected ? 1 : 0);
      writer.u53(message.hintIndex);
      writer.u53(message.hintTerm);
      writer.u53(message.commit);
      writer.u8(message.priority);
      return;
    case 'heartbeat':
      writer.u53(message.commit);
      writer.u53(message.readSequence);
      return;
    case 'heartbeat-response':
      writer.u53(message.readSequence);
      return;
    case 'pre-vote':
    case 'vote':
      writer.u53(message.lastIndex);
      writer.u53(message.lastTerm);
      writer.u8(message.forced ? 1 : 0);
      return;
    case 'pre-vote-response':
    case 'vote-response':
      writer.u8(message.granted ? 1 : 0);
      writer.u53(message.commit);
      writer.u53(message.commitTerm);
      return;
    case 'propose':
      writer.u8(message.kind === 'membership' ? 1 : 0);
      writer.u32(message.payloads.length);
      for (const payload of message.payloads) writer.blob(payload);
      return;
    case 'read-index':
      writer.u53(message.ref);
      writer.u53(message.incarnation);
      return;
    case 'read-index-response':
      writer.u53(message.ref);
      writer.u53(message.incarnation);
      writer.u53(message.index);
      return;
    case 'transfer-leader':
      writer.u32(message.transferee);
      return;
    case 'timeout-now':
      return;
    default:
      unreachable(message);
  }
}

export function encodeHostMessage(writer: ByteWriter, message: Exclude<HostMessage, { type: 'raft' }>): void {
  writer.u8(hostCodes[message.type]);
  switch (message.type) {
    case 'heartbeat':
      encodeHeartbeat(writer, message.leads, message.lease);
      return;
    case 'propose-refused':
      writer.u32(message.group);
      writer.u53(message.forward);
      writer.u8(entryKinds.indexOf(message.kind));
      writer.u8(refusalReasons.indexOf(message.reason));
      writer.u32(message.sequences.length);
      for (const sequence of message.sequences) writer.u53(sequence);
      return;
    case 'snapshot-request':
      writer.u32(message.group);
      writer.u53(message.minIndex);
      writer.u8(message.lags ? 1 : 0);
      return;
    case 'snapshot-begin':
      writer.u32(message.group);
      writer.u32(message.transfer);
      writer.u53(message.term);
      writer.u53(message.session);
      writer.u8(message.resumes ? 1 : 0);
      encodeSnapshotMeta(writer, message.meta);
      return;
    case 'snapshot-chunk':
      writer.u32(message.transfer);
      writer.u32(message.number);
      writer.u32(message.checksum);
      writer.blob(message.bytes);
      return;
    case 'snapshot-end':
      writer.u32(message.transfer);
      writer.u32(message.chunks);
      writer.u53(message.sizeBytes);
      writer.u32(message.checksum);
      return;
    case 'snapshot-cancel':
      writer.u32(message.transfer);
      writer.u8(encodeFailure(message.failure));
      return;
    case 'snapshot-progress':
      writer.u32(message.transfer);
      writer.u32(message.chunks);
      return;
    case 'snapshot-resume':
      writer.u32(message.transfer);
      writer.u32(message.chunks);
      writer.u53(message.sizeBytes);
      return;
    case 'snapshot-result':
      writer.u32(message.transfer);
      writer.u8(message.failure === null ? 0 : encodeFailure(message.failure));
      return;
    default:
      unreachable(message);
  }
}

/** Every message of a batch body. Payloads are views of `body`. Throws `FLOTILLA_PEER_MALFORMED`. */
export function decodeBatch(
  body: Uint8Array,
  from: NodeId,
  to: NodeId,
  deliver: (message: HostMessage) => void,
): void {
  const reader = new ByteReader(body);
  while (reader.remaining > 0) {
    const code = reader.u8();
    deliver(code < hostCodes.heartbeat ? decodeRaft(reader, code, from, to) : decodeHost(reader, code));
  }
}

function decodeRaft(reader: ByteReader, code: number, from: NodeId, to: NodeId): HostMessage {
  const group = reader.u32();
  const term = reader.u53() as Term;
  return { type: 'raft', group, message: decodePeerMessage(reader, code, from, to, term) };
}

function decodePeerMessage(
  reader: ByteReader,
  code: number,
  from: NodeId,
  to: NodeId,
  term: Term,
): PeerMessage {
  switch (code) {
    case codes.append: {
      const session = reader.u53();
      const previousIndex = reader.u53() as Index;
      const previousTerm = reader.u53() as Term;
      const commit = reader.u53() as Index;
      const topPriority = reader.u8();
      const entries = decodeEntries(reader, previousIndex);
      return {
        type: 'append',
        from,
        to,
        term,
        session,
        previousIndex,
        previousTerm,
        entries,
        commit,
        topPriority,
      };
    }
    case codes['append-response']:
      return {
        type: 'append-response',
        from,
        to,
        term,
        session: reader.u53(),
        index: reader.u53() as Index,
        rejected: reader.bool(),
        hintIndex: reader.u53() as Index,
        hintTerm: reader.u53() as Term,
        commit: reader.u53() as Index,
        priority: reader.u8(),
      };
    case codes.heartbeat:
      return { type: 'heartbeat', from, to, term, commit: reader.u53() as Index, readSequence: reader.u53() };
    case codes['heartbeat-response']:
      return { type: 'heartbeat-response', from, to, term, readSequence: reader.u53() };
    case codes['pre-vote']:
    case codes.vote:
      return {
        type: code === codes.vote ? 'vote' : 'pre-vote',
        from,
        to,
        term,
        lastIndex: reader.u53() as Index,
        lastTerm: reader.u53() as Term,
        forced: reader.bool(),
      };
    case codes['pre-vote-response']:
    case codes['vote-response']: {
      const type = code === codes['vote-response'] ? 'vote-response' : 'pre-vote-response';
      const granted = reader.bool();
      const commit = reader.u53() as Index;
      return { type, from, to, term, granted, commit, commitTerm: reader.u53() as Term };
    }
    case codes.propose: {
      const kind = reader.bool() ? 'membership' : 'command';
      const payloads: Uint8Array[] = [];
      for (let left = reader.count(4); left > 0; left -= 1) payloads.push(reader.blob());
      return { type: 'propose', from, to, term, kind, payloads };
    }
    case codes['read-index']:
      return { type: 'read-index', from, to, term, ref: reader.u53() as Ref, incarnation: reader.u53() };
    case codes['read-index-response']:
      return {
        type: 'read-index-response',
        from,
        to,
        term,
        ref: reader.u53() as Ref,
        incarnation: reader.u53(),
        index: reader.u53() as Index,
      };
    case codes['transfer-leader']:
      return { type: 'transfer-leader', from, to, term, transferee: reader.u32() as NodeId };
    case codes['timeout-now']:
      return { type: 'timeout-now', from, to, term };
    default:
      throw malformed(`unknown message ${code}`);
  }
}

function decodeHost(reader: ByteReader, code: number): HostMessage {
  switch (code) {
    case hostCodes.heartbeat:
      return decodeHeartbeat(reader);
    case hostCodes['propose-refused']: {
      const group = reader.u32();
      const forward = reader.u53();
      const kind = entryKinds[reader.u8()];
      const reason = refusalReasons[reader.u8()];
      if (kind === undefined || kind === 'no-op' || reason === undefined) {
        throw malformed('a refusal of something unknown, or for an unknown reason');
      }
      const sequences: number[] = [];
      for (let left = reader.count(8); left > 0; left -= 1) sequences.push(reader.u53());
      return { type: 'propose-refused', group, forward, kind, reason, sequences };
    }
    case hostCodes['snapshot-request']:
      return {
        type: 'snapshot-request',
        group: reader.u32(),
        minIndex: reader.u53() as Index,
        lags: reader.bool(),
      };
    case hostCodes['snapshot-begin']:
      return {
        type: 'snapshot-begin',
        group: reader.u32(),
        transfer: reader.u32(),
        term: reader.u53() as Term,
        session: reader.u53(),
        resumes: reader.bool(),
        meta: decodeSnapshotMeta(reader),
      };
    case hostCodes['snapshot-chunk']:
      return {
        type: 'snapshot-chunk',
        transfer: reader.u32(),
        number: reader.u32(),
        checksum: reader.u32(),
        bytes: reader.blob(),
      };
    case hostCodes['snapshot-end']:
      return {
        type: 'snapshot-end',
        transfer: reader.u32(),
        chunks: reader.u32(),
        sizeBytes: reader.u53(),
        checksum: reader.u32(),
      };
    case hostCodes['snapshot-cancel']:
      return { type: 'snapshot-cancel', transfer: reader.u32(), failure: decodeFailure(reader.u8()) };
    case hostCodes['snapshot-progress']:
      return { type: 'snapshot-progress', transfer: reader.u32(), chunks: reader.u32() };
    case hostCodes['snapshot-resume']:
      return {
        type: 'snapshot-resume',
        transfer: reader.u32(),
        chunks: reader.u32(),
        sizeBytes: reader.u53(),
      };
    case hostCodes['snapshot-result']: {
      const transfer = reader.u32();
      const failure = reader.u8();
      return { type: 'snapshot-result', transfer, failure: failure === 0 ? null : decodeFailure(failure) };
    }
    default:
      throw malformed(`unknown message ${code}`);
  }
}

/** Which parts of a heartbeat are there. */
const heartbeatHasLeads = 1;
const heartbeatHasLease = 2;

function encodeHeartbeat(
  writer: ByteWriter,
  leads: readonly Leadership[] | null,
  lease: LeaseBeat | null,
): void {
  writer.u8((leads === null ? 0 : heartbeatHasLeads) | (lease === null ? 0 : heartbeatHasLease));
  if (leads !== null) {
    writer.u32(leads.length);
    for (const lead of leads) {
      writer.u32(lead.group);
      writer.u53(lead.term);
    }
  }
  if (lease !== null) {
    writer.u53(lease.sequence);
    writer.u53(lease.echo);
    writer.u53(lease.promiseMs);
    writer.u32(lease.except.length);
    for (const group of lease.except) writer.u32(group);
  }
}

function decodeHeartbeat(reader: ByteReader): HostMessage {
  const parts = reader.u8();
  if (parts > (heartbeatHasLeads | heartbeatHasLease)) throw malformed('a heartbeat with unknown parts');
  let leads: Leadership[] | null = null;
  if ((parts & heartbeatHasLeads) !== 0) {
    leads = [];
    for (let left = reader.count(12); left > 0; left -= 1) {
      leads.push({ group: reader.u32(), term: reader.u53() as Term });
    }
  }
  let lease: LeaseBeat | null = null;
  if ((parts & heartbeatHasLease) !== 0) {
    const sequence = reader.u53();
    const echo = reader.u53();
    const promiseMs = reader.u53();
    const except: GroupId[] = [];
    for (let left = reader.count(4); left > 0; left -= 1) except.push(reader.u32());
    lease = { sequence, echo, promiseMs, except };
  }
  return { type: 'heartbeat', leads, lease };
}

/** From 1: 0 is success. */
function encodeFailure(failure: SnapshotFailure): number {
  return snapshotFailures.indexOf(failure) + 1;
}

/** One that a later version has added is a refusal. */
function decodeFailure(code: number): SnapshotFailure {
  return snapshotFailures[code - 1] ?? 'FLOTILLA_SNAPSHOT_REFUSED';
}

/** Indexes do not travel: the entries of an append follow its previous index without a gap. */
function encodeEntries(writer: ByteWriter, previousIndex: Index, entries: readonly Entry[]): void {
  writer.u32(entries.length);
  let expected = previousIndex as number;
  for (const entry of entries) {
    expected += 1;
    if (entry.index !== expected) assert(false, `entry ${entry.index} follows ${expected - 1} in an append`);
    writer.entry(entry.term, kindNumber(entry.kind), entry.payload);
  }
}

/** Most entries are commands. */
function kindNumber(kind: EntryKind): number {
  return kind === 'command' ? 0 : entryKinds.indexOf(kind);
}

function decodeEntries(reader: ByteReader, previousIndex: Index): readonly Entry[] {
  const count = reader.count(entryHeaderBytes);
  const entries: Entry[] = [];
  for (let i = 1; i <= count; i += 1) {
    const term = reader.u53() as Term;
    const kind = entryKinds[reader.u8()];
    if (kind === undefined) throw malformed('an entry of unknown kind');
    entries.push({ term, index: (previousIndex + i) as Index, kind, payload: reader.blob() });
  }
  return entries;
}

export function encodeSnapshotMeta(writer: ByteWriter, meta: SnapshotMeta): void {
  writer.u53(meta.index);
  writer.u53(meta.term);
  encodeNodeIds(writer, meta.configuration.voters);
  encodeNodeIds(writer, meta.configuration.votersOutgoing);
  encodeNodeIds(writer, meta.configuration.learners);
  encodeNodeIds(writer, meta.configuration.learnersNext);
  encodeNodeIds(writer, meta.configuration.removed);
  writer.u8(meta.configuration.autoLeave ? 1 : 0);
}

export function decodeSnapshotMeta(reader: ByteReader): SnapshotMeta {
  const index = reader.u53() as Index;
  const term = reader.u53() as Term;
  const configuration: Configuration = {
    voters: decodeNodeIds(reader),
    votersOutgoing: decodeNodeIds(reader),
    learners: decodeNodeIds(reader),
    learnersNext: decodeNodeIds(reader),
    removed: decodeNodeIds(reader),
    autoLeave: reader.bool(),
  };
  return { index, term, configuration };
}

function encodeNodeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u32(ids.length);
  for (const id of ids) writer.u32(id);
}

function decodeNodeIds(reader: ByteReader): readonly NodeId[] {
  const ids: NodeId[] = [];
  for (let left = reader.count(4); left > 0; left -= 1) ids.push(reader.u32() as NodeId);
  return ids;
}
