// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES, EMPTY_LIST } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import { method } from '../protobuf/service.ts';
import type { Writer } from '../protobuf/writer.ts';
import { ResponseHeader } from './rpc.ts';

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type ShardReplicaRole = number;
export const ShardReplicaRole = {
  VOTER: 0,
  LEARNER: 1,
  WANTED: 2,
} as const;

export interface ShardReplica {
  readonly node: number;
  readonly role: ShardReplicaRole;
  readonly leaving: boolean;
}

export const ShardReplica: Codec<ShardReplica> = new Codec<ShardReplica>(
  'flotilla.v1.ShardReplica',
  createShardReplica,
  writeShardReplica,
  readShardReplica,
);

function createShardReplica(partial?: Partial<ShardReplica>): ShardReplica {
  return {
    node: partial?.node ?? 0,
    role: partial?.role ?? 0,
    leaving: partial?.leaving ?? false,
  };
}

function writeShardReplica(writer: Writer, message: ShardReplica): void {
  if (message.leaving) {
    writer.bool(message.leaving);
    writer.varint32(24);
  }
  if (message.role !== 0) {
    writer.int32(message.role);
    writer.varint32(16);
  }
  if (message.node !== 0) {
    writer.int64(message.node);
    writer.varint32(8);
  }
}

function readShardReplica(reader: Reader, base: ShardReplica): ShardReplica {
  let node = base.node;
  let role = base.role;
  let leaving = base.leaving;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        node = reader.int64();
        break;
      case 16:
        role = reader.int32();
        break;
      case 24:
        leaving = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    node,
    role,
    leaving,
  };
}

export interface Shard {
  readonly shard: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly rangeVersion: number;
  readonly membershipVersion: number;
  readonly replicas: readonly ShardReplica[];
  readonly leader: number;
  readonly sizeBytes: number;
  readonly keys: number;
  readonly writesPerSecond: number;
  readonly readsPerSecond: number;
  readonly underWay: string;
  readonly wantedReplicas: number;
  readonly kept: boolean;
}

export const Shard: Codec<Shard> = new Codec<Shard>(
  'flotilla.v1.Shard',
  createShard,
  writeShard,
  readShard,
);

function createShard(partial?: Partial<Shard>): Shard {
  return {
    shard: partial?.shard ?? 0,
    start: partial?.start ?? EMPTY_BYTES,
    end: partial?.end ?? EMPTY_BYTES,
    rangeVersion: partial?.rangeVersion ?? 0,
    membershipVersion: partial?.membershipVersion ?? 0,
    replicas: partial?.replicas ?? EMPTY_LIST,
    leader: partial?.leader ?? 0,
    sizeBytes: partial?.sizeBytes ?? 0,
    keys: partial?.keys ?? 0,
    writesPerSecond: partial?.writesPerSecond ?? 0,
    readsPerSecond: partial?.readsPerSecond ?? 0,
    underWay: partial?.underWay ?? '',
    wantedReplicas: partial?.wantedReplicas ?? 0,
    kept: partial?.kept ?? false,
  };
}

function writeShard(writer: Writer, message: Shard): void {
  if (message.kept) {
    writer.bool(message.kept);
    writer.varint32(112);
  }
  if (message.wantedReplicas !== 0) {
    writer.int64(message.wantedReplicas);
    writer.varint32(104);
  }
  if (message.underWay.length > 0) {
    writer.string(message.underWay);
    writer.varint32(98);
  }
  if (message.readsPerSecond !== 0) {
    writer.int64(message.readsPerSecond);
    writer.varint32(88);
  }
  if (message.writesPerSecond !== 0) {
    writer.int64(message.writesPerSecond);
    writer.varint32(80);
  }
  if (message.keys !== 0) {
    writer.int64(message.keys);
    writer.varint32(72);
  }
  if (message.sizeBytes !== 0) {
    writer.int64(message.sizeBytes);
    writer.varint32(64);
  }
  if (message.leader !== 0) {
    writer.int64(message.leader);
    writer.varint32(56);
  }
  for (let index = message.replicas.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardReplica.write(writer, message.replicas[index] as ShardReplica);
    writer.varint32(writer.size - end);
    writer.varint32(50);
  }
  if (message.membershipVersion !== 0) {
    writer.int64(message.membershipVersion);
    writer.varint32(40);
  }
  if (message.rangeVersion !== 0) {
    writer.int64(message.rangeVersion);
    writer.varint32(32);
  }
  if (message.end.length > 0) {
    writer.bytes(message.end);
    writer.varint32(26);
  }
  if (message.start.length > 0) {
    writer.bytes(message.start);
    writer.varint32(18);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShard(reader: Reader, base: Shard): Shard {
  let shard = base.shard;
  let start = base.start;
  let end = base.end;
  let rangeVersion = base.rangeVersion;
  let membershipVersion = base.membershipVersion;
  let replicas: ShardReplica[] | null = null;
  let leader = base.leader;
  let sizeBytes = base.sizeBytes;
  let keys = base.keys;
  let writesPerSecond = base.writesPerSecond;
  let readsPerSecond = base.readsPerSecond;
  let underWay = base.underWay;
  let wantedReplicas = base.wantedReplicas;
  let kept = base.kept;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 18:
        start = reader.bytes();
        break;
      case 26:
        end = reader.bytes();
        break;
      case 32:
        rangeVersion = reader.int64();
        break;
      case 40:
        membershipVersion = reader.int64();
        break;
      case 50: {
        const outer = reader.enter();
        (replicas ??= [...base.replicas]).push(ShardReplica.read(reader, ShardReplica.empty));
        reader.leave(outer);
        break;
      }
      case 56:
        leader = reader.int64();
        break;
      case 64:
        sizeBytes = reader.int64();
        break;
      case 72:
        keys = reader.int64();
        break;
      case 80:
        writesPerSecond = reader.int64();
        break;
      case 88:
        readsPerSecond = reader.int64();
        break;
      case 98:
        underWay = reader.string();
        break;
      case 104:
        wantedReplicas = reader.int64();
        break;
      case 112:
        kept = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    start,
    end,
    rangeVersion,
    membershipVersion,
    replicas: replicas ?? base.replicas,
    leader,
    sizeBytes,
    keys,
    writesPerSecond,
    readsPerSecond,
    underWay,
    wantedReplicas,
    kept,
  };
}

export interface NodeInfo {
  readonly node: number;
  readonly name: string;
  readonly memberId: bigint;
  readonly state: string;
  readonly zone: string;
  readonly labels: readonly NodeInfoLabel[];
  readonly live: boolean;
  readonly replicas: number;
  readonly leaders: number;
  readonly sizeBytes: number;
  readonly leaving: boolean;
}

export const NodeInfo: Codec<NodeInfo> = new Codec<NodeInfo>(
  'flotilla.v1.NodeInfo',
  createNodeInfo,
  writeNodeInfo,
  readNodeInfo,
);

function createNodeInfo(partial?: Partial<NodeInfo>): NodeInfo {
  return {
    node: partial?.node ?? 0,
    name: partial?.name ?? '',
    memberId: partial?.memberId ?? 0n,
    state: partial?.state ?? '',
    zone: partial?.zone ?? '',
    labels: partial?.labels ?? EMPTY_LIST,
    live: partial?.live ?? false,
    replicas: partial?.replicas ?? 0,
    leaders: partial?.leaders ?? 0,
    sizeBytes: partial?.sizeBytes ?? 0,
    leaving: partial?.leaving ?? false,
  };
}

function writeNodeInfo(writer: Writer, message: NodeInfo): void {
  if (message.leaving) {
    writer.bool(message.leaving);
    writer.varint32(88);
  }
  if (message.sizeBytes !== 0) {
    writer.int64(message.sizeBytes);
    writer.varint32(80);
  }
  if (message.leaders !== 0) {
    writer.int64(message.leaders);
    writer.varint32(72);
  }
  if (message.replicas !== 0) {
    writer.int64(message.replicas);
    writer.varint32(64);
  }
  if (message.live) {
    writer.bool(message.live);
    writer.varint32(56);
  }
  for (let index = message.labels.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    NodeInfoLabel.write(writer, message.labels[index] as NodeInfoLabel);
    writer.varint32(writer.size - end);
    writer.varint32(50);
  }
  if (message.zone.length > 0) {
    writer.string(message.zone);
    writer.varint32(42);
  }
  if (message.state.length > 0) {
    writer.string(message.state);
    writer.varint32(34);
  }
  if (message.memberId !== 0n) {
    writer.uint64(message.memberId);
    writer.varint32(24);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(18);
  }
  if (message.node !== 0) {
    writer.int64(message.node);
    writer.varint32(8);
  }
}

function readNodeInfo(reader: Reader, base: NodeInfo): NodeInfo {
  let node = base.node;
  let name = base.name;
  let memberId = base.memberId;
  let state = base.state;
  let zone = base.zone;
  let labels: NodeInfoLabel[] | null = null;
  let live = base.live;
  let replicas = base.replicas;
  let leaders = base.leaders;
  let sizeBytes = base.sizeBytes;
  let leaving = base.leaving;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        node = reader.int64();
        break;
      case 18:
        name = reader.string();
        break;
      case 24:
        memberId = reader.uint64();
        break;
      case 34:
        state = reader.string();
        break;
      case 42:
        zone = reader.string();
        break;
      case 50: {
        const outer = reader.enter();
        (labels ??= [...base.labels]).push(NodeInfoLabel.read(reader, NodeInfoLabel.empty));
        reader.leave(outer);
        break;
      }
      case 56:
        live = reader.bool();
        break;
      case 64:
        replicas = reader.int64();
        break;
      case 72:
        leaders = reader.int64();
        break;
      case 80:
        sizeBytes = reader.int64();
        break;
      case 88:
        leaving = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    node,
    name,
    memberId,
    state,
    zone,
    labels: labels ?? base.labels,
    live,
    replicas,
    leaders,
    sizeBytes,
    leaving,
  };
}

export interface NodeInfoLabel {
  readonly name: string;
  readonly value: string;
}

export const NodeInfoLabel: Codec<NodeInfoLabel> = new Codec<NodeInfoLabel>(
  'flotilla.v1.NodeInfoLabel',
  createNodeInfoLabel,
  writeNodeInfoLabel,
  readNodeInfoLabel,
);

function createNodeInfoLabel(partial?: Partial<NodeInfoLabel>): NodeInfoLabel {
  return {
    name: partial?.name ?? '',
    value: partial?.value ?? '',
  };
}

function writeNodeInfoLabel(writer: Writer, message: NodeInfoLabel): void {
  if (message.value.length > 0) {
    writer.string(message.value);
    writer.varint32(18);
  }
  if (message.name.length > 0) {
    writer.string(message.name);
    writer.varint32(10);
  }
}

function readNodeInfoLabel(reader: Reader, base: NodeInfoLabel): NodeInfoLabel {
  let name = base.name;
  let value = base.value;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        name = reader.string();
        break;
      case 18:
        value = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    name,
    value,
  };
}

export interface ShardProgress {
  readonly configuration: number;
  readonly phase: string;
  readonly text: string;
  readonly done: number;
  readonly total: number;
  readonly finished: boolean;
  readonly shard: number;
}

export const ShardProgress: Codec<ShardProgress> = new Codec<ShardProgress>(
  'flotilla.v1.ShardProgress',
  createShardProgress,
  writeShardProgress,
  readShardProgress,
);

function createShardProgress(partial?: Partial<ShardProgress>): ShardProgress {
  return {
    configuration: partial?.configuration ?? 0,
    phase: partial?.phase ?? '',
    text: partial?.text ?? '',
    done: partial?.done ?? 0,
    total: partial?.total ?? 0,
    finished: partial?.finished ?? false,
    shard: partial?.shard ?? 0,
  };
}

function writeShardProgress(writer: Writer, message: ShardProgress): void {
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(56);
  }
  if (message.finished) {
    writer.bool(message.finished);
    writer.varint32(48);
  }
  if (message.total !== 0) {
    writer.int64(message.total);
    writer.varint32(40);
  }
  if (message.done !== 0) {
    writer.int64(message.done);
    writer.varint32(32);
  }
  if (message.text.length > 0) {
    writer.string(message.text);
    writer.varint32(26);
  }
  if (message.phase.length > 0) {
    writer.string(message.phase);
    writer.varint32(18);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardProgress(reader: Reader, base: ShardProgress): ShardProgress {
  let configuration = base.configuration;
  let phase = base.phase;
  let text = base.text;
  let done = base.done;
  let total = base.total;
  let finished = base.finished;
  let shard = base.shard;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      case 18:
        phase = reader.string();
        break;
      case 26:
        text = reader.string();
        break;
      case 32:
        done = reader.int64();
        break;
      case 40:
        total = reader.int64();
        break;
      case 48:
        finished = reader.bool();
        break;
      case 56:
        shard = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
    phase,
    text,
    done,
    total,
    finished,
    shard,
  };
}

export interface ShardBeginRequest {
  readonly shards: number;
  readonly keys: readonly Uint8Array[];
  readonly replicas: number;
}

export const ShardBeginRequest: Codec<ShardBeginRequest> = new Codec<ShardBeginRequest>(
  'flotilla.v1.ShardBeginRequest',
  createShardBeginRequest,
  writeShardBeginRequest,
  readShardBeginRequest,
);

function createShardBeginRequest(partial?: Partial<ShardBeginRequest>): ShardBeginRequest {
  return {
    shards: partial?.shards ?? 0,
    keys: partial?.keys ?? EMPTY_LIST,
    replicas: partial?.replicas ?? 0,
  };
}

function writeShardBeginRequest(writer: Writer, message: ShardBeginRequest): void {
  if (message.replicas !== 0) {
    writer.int64(message.replicas);
    writer.varint32(24);
  }
  for (let index = message.keys.length - 1; index >= 0; index -= 1) {
    writer.bytes(message.keys[index] as Uint8Array);
    writer.varint32(18);
  }
  if (message.shards !== 0) {
    writer.int64(message.shards);
    writer.varint32(8);
  }
}

function readShardBeginRequest(reader: Reader, base: ShardBeginRequest): ShardBeginRequest {
  let shards = base.shards;
  let keys: Uint8Array[] | null = null;
  let replicas = base.replicas;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shards = reader.int64();
        break;
      case 18:
        (keys ??= [...base.keys]).push(reader.bytes());
        break;
      case 24:
        replicas = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shards,
    keys: keys ?? base.keys,
    replicas,
  };
}

export type ShardListRequest = Readonly<Record<string, never>>;

export const ShardListRequest: Codec<ShardListRequest> = new Codec<ShardListRequest>(
  'flotilla.v1.ShardListRequest',
  createShardListRequest,
  writeShardListRequest,
  readShardListRequest,
);

function createShardListRequest(): ShardListRequest {
  return {};
}

function writeShardListRequest(): void {}

function readShardListRequest(reader: Reader, base: ShardListRequest): ShardListRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface ShardListResponse {
  readonly header: ResponseHeader | null;
  readonly configuration: number;
  readonly shards: readonly Shard[];
}

export const ShardListResponse: Codec<ShardListResponse> = new Codec<ShardListResponse>(
  'flotilla.v1.ShardListResponse',
  createShardListResponse,
  writeShardListResponse,
  readShardListResponse,
);

function createShardListResponse(partial?: Partial<ShardListResponse>): ShardListResponse {
  return {
    header: partial?.header ?? null,
    configuration: partial?.configuration ?? 0,
    shards: partial?.shards ?? EMPTY_LIST,
  };
}

function writeShardListResponse(writer: Writer, message: ShardListResponse): void {
  for (let index = message.shards.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    Shard.write(writer, message.shards[index] as Shard);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readShardListResponse(reader: Reader, base: ShardListResponse): ShardListResponse {
  let header = base.header;
  let configuration = base.configuration;
  let shards: Shard[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        configuration = reader.int64();
        break;
      case 26: {
        const outer = reader.enter();
        (shards ??= [...base.shards]).push(Shard.read(reader, Shard.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    configuration,
    shards: shards ?? base.shards,
  };
}

export interface ShardSplitRequest {
  readonly shard: number;
  readonly key: Uint8Array;
  readonly configuration: number;
}

export const ShardSplitRequest: Codec<ShardSplitRequest> = new Codec<ShardSplitRequest>(
  'flotilla.v1.ShardSplitRequest',
  createShardSplitRequest,
  writeShardSplitRequest,
  readShardSplitRequest,
);

function createShardSplitRequest(partial?: Partial<ShardSplitRequest>): ShardSplitRequest {
  return {
    shard: partial?.shard ?? 0,
    key: partial?.key ?? EMPTY_BYTES,
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardSplitRequest(writer: Writer, message: ShardSplitRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(24);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(18);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardSplitRequest(reader: Reader, base: ShardSplitRequest): ShardSplitRequest {
  let shard = base.shard;
  let key = base.key;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 18:
        key = reader.bytes();
        break;
      case 24:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    key,
    configuration,
  };
}

export interface ShardMergeRequest {
  readonly shard: number;
  readonly into: number;
  readonly configuration: number;
}

export const ShardMergeRequest: Codec<ShardMergeRequest> = new Codec<ShardMergeRequest>(
  'flotilla.v1.ShardMergeRequest',
  createShardMergeRequest,
  writeShardMergeRequest,
  readShardMergeRequest,
);

function createShardMergeRequest(partial?: Partial<ShardMergeRequest>): ShardMergeRequest {
  return {
    shard: partial?.shard ?? 0,
    into: partial?.into ?? 0,
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardMergeRequest(writer: Writer, message: ShardMergeRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(24);
  }
  if (message.into !== 0) {
    writer.int64(message.into);
    writer.varint32(16);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardMergeRequest(reader: Reader, base: ShardMergeRequest): ShardMergeRequest {
  let shard = base.shard;
  let into = base.into;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 16:
        into = reader.int64();
        break;
      case 24:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    into,
    configuration,
  };
}

export interface ShardMoveRequest {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
  readonly configuration: number;
}

export const ShardMoveRequest: Codec<ShardMoveRequest> = new Codec<ShardMoveRequest>(
  'flotilla.v1.ShardMoveRequest',
  createShardMoveRequest,
  writeShardMoveRequest,
  readShardMoveRequest,
);

function createShardMoveRequest(partial?: Partial<ShardMoveRequest>): ShardMoveRequest {
  return {
    shard: partial?.shard ?? 0,
    from: partial?.from ?? 0,
    to: partial?.to ?? 0,
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardMoveRequest(writer: Writer, message: ShardMoveRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(32);
  }
  if (message.to !== 0) {
    writer.int64(message.to);
    writer.varint32(24);
  }
  if (message.from !== 0) {
    writer.int64(message.from);
    writer.varint32(16);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardMoveRequest(reader: Reader, base: ShardMoveRequest): ShardMoveRequest {
  let shard = base.shard;
  let from = base.from;
  let to = base.to;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 16:
        from = reader.int64();
        break;
      case 24:
        to = reader.int64();
        break;
      case 32:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    from,
    to,
    configuration,
  };
}

export interface ShardTransferLeaderRequest {
  readonly shard: number;
  readonly to: number;
  readonly configuration: number;
}

export const ShardTransferLeaderRequest: Codec<ShardTransferLeaderRequest> = new Codec<ShardTransferLeaderRequest>(
  'flotilla.v1.ShardTransferLeaderRequest',
  createShardTransferLeaderRequest,
  writeShardTransferLeaderRequest,
  readShardTransferLeaderRequest,
);

function createShardTransferLeaderRequest(partial?: Partial<ShardTransferLeaderRequest>): ShardTransferLeaderRequest {
  return {
    shard: partial?.shard ?? 0,
    to: partial?.to ?? 0,
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardTransferLeaderRequest(writer: Writer, message: ShardTransferLeaderRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(24);
  }
  if (message.to !== 0) {
    writer.int64(message.to);
    writer.varint32(16);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardTransferLeaderRequest(reader: Reader, base: ShardTransferLeaderRequest): ShardTransferLeaderRequest {
  let shard = base.shard;
  let to = base.to;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 16:
        to = reader.int64();
        break;
      case 24:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    to,
    configuration,
  };
}

export interface ShardTransferLeaderResponse {
  readonly header: ResponseHeader | null;
  readonly configuration: number;
  readonly leader: number;
}

export const ShardTransferLeaderResponse: Codec<ShardTransferLeaderResponse> = new Codec<ShardTransferLeaderResponse>(
  'flotilla.v1.ShardTransferLeaderResponse',
  createShardTransferLeaderResponse,
  writeShardTransferLeaderResponse,
  readShardTransferLeaderResponse,
);

function createShardTransferLeaderResponse(partial?: Partial<ShardTransferLeaderResponse>): ShardTransferLeaderResponse {
  return {
    header: partial?.header ?? null,
    configuration: partial?.configuration ?? 0,
    leader: partial?.leader ?? 0,
  };
}

function writeShardTransferLeaderResponse(writer: Writer, message: ShardTransferLeaderResponse): void {
  if (message.leader !== 0) {
    writer.int64(message.leader);
    writer.varint32(24);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readShardTransferLeaderResponse(reader: Reader, base: ShardTransferLeaderResponse): ShardTransferLeaderResponse {
  let header = base.header;
  let configuration = base.configuration;
  let leader = base.leader;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        configuration = reader.int64();
        break;
      case 24:
        leader = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    configuration,
    leader,
  };
}

export interface ShardSetReplicasRequest {
  readonly shard: number;
  readonly replicas: number;
  readonly configuration: number;
}

export const ShardSetReplicasRequest: Codec<ShardSetReplicasRequest> = new Codec<ShardSetReplicasRequest>(
  'flotilla.v1.ShardSetReplicasRequest',
  createShardSetReplicasRequest,
  writeShardSetReplicasRequest,
  readShardSetReplicasRequest,
);

function createShardSetReplicasRequest(partial?: Partial<ShardSetReplicasRequest>): ShardSetReplicasRequest {
  return {
    shard: partial?.shard ?? 0,
    replicas: partial?.replicas ?? 0,
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardSetReplicasRequest(writer: Writer, message: ShardSetReplicasRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(24);
  }
  if (message.replicas !== 0) {
    writer.int64(message.replicas);
    writer.varint32(16);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardSetReplicasRequest(reader: Reader, base: ShardSetReplicasRequest): ShardSetReplicasRequest {
  let shard = base.shard;
  let replicas = base.replicas;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 16:
        replicas = reader.int64();
        break;
      case 24:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    replicas,
    configuration,
  };
}

export interface ShardExplainRequest {
  readonly shard: number;
}

export const ShardExplainRequest: Codec<ShardExplainRequest> = new Codec<ShardExplainRequest>(
  'flotilla.v1.ShardExplainRequest',
  createShardExplainRequest,
  writeShardExplainRequest,
  readShardExplainRequest,
);

function createShardExplainRequest(partial?: Partial<ShardExplainRequest>): ShardExplainRequest {
  return {
    shard: partial?.shard ?? 0,
  };
}

function writeShardExplainRequest(writer: Writer, message: ShardExplainRequest): void {
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardExplainRequest(reader: Reader, base: ShardExplainRequest): ShardExplainRequest {
  let shard = base.shard;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
  };
}

export interface ShardExplainResponse {
  readonly configuration: number;
  readonly shard: number;
  readonly need: string;
  readonly because: string;
  readonly words: string;
  readonly operation: string;
  readonly candidates: readonly ShardCandidate[];
  readonly alternatives: readonly ShardAlternative[];
}

export const ShardExplainResponse: Codec<ShardExplainResponse> = new Codec<ShardExplainResponse>(
  'flotilla.v1.ShardExplainResponse',
  createShardExplainResponse,
  writeShardExplainResponse,
  readShardExplainResponse,
);

function createShardExplainResponse(partial?: Partial<ShardExplainResponse>): ShardExplainResponse {
  return {
    configuration: partial?.configuration ?? 0,
    shard: partial?.shard ?? 0,
    need: partial?.need ?? '',
    because: partial?.because ?? '',
    words: partial?.words ?? '',
    operation: partial?.operation ?? '',
    candidates: partial?.candidates ?? EMPTY_LIST,
    alternatives: partial?.alternatives ?? EMPTY_LIST,
  };
}

function writeShardExplainResponse(writer: Writer, message: ShardExplainResponse): void {
  for (let index = message.alternatives.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardAlternative.write(writer, message.alternatives[index] as ShardAlternative);
    writer.varint32(writer.size - end);
    writer.varint32(66);
  }
  for (let index = message.candidates.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardCandidate.write(writer, message.candidates[index] as ShardCandidate);
    writer.varint32(writer.size - end);
    writer.varint32(58);
  }
  if (message.operation.length > 0) {
    writer.string(message.operation);
    writer.varint32(50);
  }
  if (message.words.length > 0) {
    writer.string(message.words);
    writer.varint32(42);
  }
  if (message.because.length > 0) {
    writer.string(message.because);
    writer.varint32(34);
  }
  if (message.need.length > 0) {
    writer.string(message.need);
    writer.varint32(26);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(16);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardExplainResponse(reader: Reader, base: ShardExplainResponse): ShardExplainResponse {
  let configuration = base.configuration;
  let shard = base.shard;
  let need = base.need;
  let because = base.because;
  let words = base.words;
  let operation = base.operation;
  let candidates: ShardCandidate[] | null = null;
  let alternatives: ShardAlternative[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      case 16:
        shard = reader.int64();
        break;
      case 26:
        need = reader.string();
        break;
      case 34:
        because = reader.string();
        break;
      case 42:
        words = reader.string();
        break;
      case 50:
        operation = reader.string();
        break;
      case 58: {
        const outer = reader.enter();
        (candidates ??= [...base.candidates]).push(ShardCandidate.read(reader, ShardCandidate.empty));
        reader.leave(outer);
        break;
      }
      case 66: {
        const outer = reader.enter();
        (alternatives ??= [...base.alternatives]).push(ShardAlternative.read(reader, ShardAlternative.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
    shard,
    need,
    because,
    words,
    operation,
    candidates: candidates ?? base.candidates,
    alternatives: alternatives ?? base.alternatives,
  };
}

export interface ShardCandidate {
  readonly node: number;
  readonly refusal: string;
}

export const ShardCandidate: Codec<ShardCandidate> = new Codec<ShardCandidate>(
  'flotilla.v1.ShardCandidate',
  createShardCandidate,
  writeShardCandidate,
  readShardCandidate,
);

function createShardCandidate(partial?: Partial<ShardCandidate>): ShardCandidate {
  return {
    node: partial?.node ?? 0,
    refusal: partial?.refusal ?? '',
  };
}

function writeShardCandidate(writer: Writer, message: ShardCandidate): void {
  if (message.refusal.length > 0) {
    writer.string(message.refusal);
    writer.varint32(18);
  }
  if (message.node !== 0) {
    writer.int64(message.node);
    writer.varint32(8);
  }
}

function readShardCandidate(reader: Reader, base: ShardCandidate): ShardCandidate {
  let node = base.node;
  let refusal = base.refusal;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        node = reader.int64();
        break;
      case 18:
        refusal = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    node,
    refusal,
  };
}

export interface ShardAlternative {
  readonly kind: string;
  readonly dimension: string;
  readonly from: number;
  readonly because: string;
  readonly words: string;
  readonly candidates: readonly ShardCandidate[];
}

export const ShardAlternative: Codec<ShardAlternative> = new Codec<ShardAlternative>(
  'flotilla.v1.ShardAlternative',
  createShardAlternative,
  writeShardAlternative,
  readShardAlternative,
);

function createShardAlternative(partial?: Partial<ShardAlternative>): ShardAlternative {
  return {
    kind: partial?.kind ?? '',
    dimension: partial?.dimension ?? '',
    from: partial?.from ?? 0,
    because: partial?.because ?? '',
    words: partial?.words ?? '',
    candidates: partial?.candidates ?? EMPTY_LIST,
  };
}

function writeShardAlternative(writer: Writer, message: ShardAlternative): void {
  for (let index = message.candidates.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardCandidate.write(writer, message.candidates[index] as ShardCandidate);
    writer.varint32(writer.size - end);
    writer.varint32(50);
  }
  if (message.words.length > 0) {
    writer.string(message.words);
    writer.varint32(42);
  }
  if (message.because.length > 0) {
    writer.string(message.because);
    writer.varint32(34);
  }
  if (message.from !== 0) {
    writer.int64(message.from);
    writer.varint32(24);
  }
  if (message.dimension.length > 0) {
    writer.string(message.dimension);
    writer.varint32(18);
  }
  if (message.kind.length > 0) {
    writer.string(message.kind);
    writer.varint32(10);
  }
}

function readShardAlternative(reader: Reader, base: ShardAlternative): ShardAlternative {
  let kind = base.kind;
  let dimension = base.dimension;
  let from = base.from;
  let because = base.because;
  let words = base.words;
  let candidates: ShardCandidate[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        kind = reader.string();
        break;
      case 18:
        dimension = reader.string();
        break;
      case 24:
        from = reader.int64();
        break;
      case 34:
        because = reader.string();
        break;
      case 42:
        words = reader.string();
        break;
      case 50: {
        const outer = reader.enter();
        (candidates ??= [...base.candidates]).push(ShardCandidate.read(reader, ShardCandidate.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    kind,
    dimension,
    from,
    because,
    words,
    candidates: candidates ?? base.candidates,
  };
}

export interface ShardHistoryRequest {
  readonly shard: number;
  readonly limit: number;
}

export const ShardHistoryRequest: Codec<ShardHistoryRequest> = new Codec<ShardHistoryRequest>(
  'flotilla.v1.ShardHistoryRequest',
  createShardHistoryRequest,
  writeShardHistoryRequest,
  readShardHistoryRequest,
);

function createShardHistoryRequest(partial?: Partial<ShardHistoryRequest>): ShardHistoryRequest {
  return {
    shard: partial?.shard ?? 0,
    limit: partial?.limit ?? 0,
  };
}

function writeShardHistoryRequest(writer: Writer, message: ShardHistoryRequest): void {
  if (message.limit !== 0) {
    writer.int64(message.limit);
    writer.varint32(16);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardHistoryRequest(reader: Reader, base: ShardHistoryRequest): ShardHistoryRequest {
  let shard = base.shard;
  let limit = base.limit;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 16:
        limit = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    limit,
  };
}

export interface ShardHistoryResponse {
  readonly configuration: number;
  readonly oldest: number;
  readonly changes: readonly ShardChange[];
}

export const ShardHistoryResponse: Codec<ShardHistoryResponse> = new Codec<ShardHistoryResponse>(
  'flotilla.v1.ShardHistoryResponse',
  createShardHistoryResponse,
  writeShardHistoryResponse,
  readShardHistoryResponse,
);

function createShardHistoryResponse(partial?: Partial<ShardHistoryResponse>): ShardHistoryResponse {
  return {
    configuration: partial?.configuration ?? 0,
    oldest: partial?.oldest ?? 0,
    changes: partial?.changes ?? EMPTY_LIST,
  };
}

function writeShardHistoryResponse(writer: Writer, message: ShardHistoryResponse): void {
  for (let index = message.changes.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardChange.write(writer, message.changes[index] as ShardChange);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.oldest !== 0) {
    writer.int64(message.oldest);
    writer.varint32(16);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardHistoryResponse(reader: Reader, base: ShardHistoryResponse): ShardHistoryResponse {
  let configuration = base.configuration;
  let oldest = base.oldest;
  let changes: ShardChange[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      case 16:
        oldest = reader.int64();
        break;
      case 26: {
        const outer = reader.enter();
        (changes ??= [...base.changes]).push(ShardChange.read(reader, ShardChange.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
    oldest,
    changes: changes ?? base.changes,
  };
}

export interface ShardChange {
  readonly configuration: number;
  readonly index: number;
  readonly revision: number;
  readonly kind: string;
  readonly text: string;
  readonly shards: readonly number[];
}

export const ShardChange: Codec<ShardChange> = new Codec<ShardChange>(
  'flotilla.v1.ShardChange',
  createShardChange,
  writeShardChange,
  readShardChange,
);

function createShardChange(partial?: Partial<ShardChange>): ShardChange {
  return {
    configuration: partial?.configuration ?? 0,
    index: partial?.index ?? 0,
    revision: partial?.revision ?? 0,
    kind: partial?.kind ?? '',
    text: partial?.text ?? '',
    shards: partial?.shards ?? EMPTY_LIST,
  };
}

function writeShardChange(writer: Writer, message: ShardChange): void {
  if (message.shards.length > 0) {
    const end = writer.size;
    for (let index = message.shards.length - 1; index >= 0; index -= 1) {
      writer.int64(message.shards[index] as number);
    }
    writer.varint32(writer.size - end);
    writer.varint32(50);
  }
  if (message.text.length > 0) {
    writer.string(message.text);
    writer.varint32(42);
  }
  if (message.kind.length > 0) {
    writer.string(message.kind);
    writer.varint32(34);
  }
  if (message.revision !== 0) {
    writer.int64(message.revision);
    writer.varint32(24);
  }
  if (message.index !== 0) {
    writer.int64(message.index);
    writer.varint32(16);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardChange(reader: Reader, base: ShardChange): ShardChange {
  let configuration = base.configuration;
  let index = base.index;
  let revision = base.revision;
  let kind = base.kind;
  let text = base.text;
  let shards: number[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      case 16:
        index = reader.int64();
        break;
      case 24:
        revision = reader.int64();
        break;
      case 34:
        kind = reader.string();
        break;
      case 42:
        text = reader.string();
        break;
      case 48:
        (shards ??= [...base.shards]).push(reader.int64());
        break;
      case 50: {
        const outer = reader.beginPacked();
        while (reader.more()) (shards ??= [...base.shards]).push(reader.int64());
        reader.endPacked(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
    index,
    revision,
    kind,
    text,
    shards: shards ?? base.shards,
  };
}

export type NodeListRequest = Readonly<Record<string, never>>;

export const NodeListRequest: Codec<NodeListRequest> = new Codec<NodeListRequest>(
  'flotilla.v1.NodeListRequest',
  createNodeListRequest,
  writeNodeListRequest,
  readNodeListRequest,
);

function createNodeListRequest(): NodeListRequest {
  return {};
}

function writeNodeListRequest(): void {}

function readNodeListRequest(reader: Reader, base: NodeListRequest): NodeListRequest {
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      default:
        reader.skip(tag);
    }
  }
  return base;
}

export interface NodeListResponse {
  readonly header: ResponseHeader | null;
  readonly configuration: number;
  readonly nodes: readonly NodeInfo[];
}

export const NodeListResponse: Codec<NodeListResponse> = new Codec<NodeListResponse>(
  'flotilla.v1.NodeListResponse',
  createNodeListResponse,
  writeNodeListResponse,
  readNodeListResponse,
);

function createNodeListResponse(partial?: Partial<NodeListResponse>): NodeListResponse {
  return {
    header: partial?.header ?? null,
    configuration: partial?.configuration ?? 0,
    nodes: partial?.nodes ?? EMPTY_LIST,
  };
}

function writeNodeListResponse(writer: Writer, message: NodeListResponse): void {
  for (let index = message.nodes.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    NodeInfo.write(writer, message.nodes[index] as NodeInfo);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readNodeListResponse(reader: Reader, base: NodeListResponse): NodeListResponse {
  let header = base.header;
  let configuration = base.configuration;
  let nodes: NodeInfo[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        configuration = reader.int64();
        break;
      case 26: {
        const outer = reader.enter();
        (nodes ??= [...base.nodes]).push(NodeInfo.read(reader, NodeInfo.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    configuration,
    nodes: nodes ?? base.nodes,
  };
}

export interface NodeJoinRequest {
  readonly node: number;
  readonly zone: string;
  readonly labels: readonly NodeInfoLabel[];
  readonly configuration: number;
}

export const NodeJoinRequest: Codec<NodeJoinRequest> = new Codec<NodeJoinRequest>(
  'flotilla.v1.NodeJoinRequest',
  createNodeJoinRequest,
  writeNodeJoinRequest,
  readNodeJoinRequest,
);

function createNodeJoinRequest(partial?: Partial<NodeJoinRequest>): NodeJoinRequest {
  return {
    node: partial?.node ?? 0,
    zone: partial?.zone ?? '',
    labels: partial?.labels ?? EMPTY_LIST,
    configuration: partial?.configuration ?? 0,
  };
}

function writeNodeJoinRequest(writer: Writer, message: NodeJoinRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(32);
  }
  for (let index = message.labels.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    NodeInfoLabel.write(writer, message.labels[index] as NodeInfoLabel);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.zone.length > 0) {
    writer.string(message.zone);
    writer.varint32(18);
  }
  if (message.node !== 0) {
    writer.int64(message.node);
    writer.varint32(8);
  }
}

function readNodeJoinRequest(reader: Reader, base: NodeJoinRequest): NodeJoinRequest {
  let node = base.node;
  let zone = base.zone;
  let labels: NodeInfoLabel[] | null = null;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        node = reader.int64();
        break;
      case 18:
        zone = reader.string();
        break;
      case 26: {
        const outer = reader.enter();
        (labels ??= [...base.labels]).push(NodeInfoLabel.read(reader, NodeInfoLabel.empty));
        reader.leave(outer);
        break;
      }
      case 32:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    node,
    zone,
    labels: labels ?? base.labels,
    configuration,
  };
}

export interface NodeChangeResponse {
  readonly header: ResponseHeader | null;
  readonly configuration: number;
}

export const NodeChangeResponse: Codec<NodeChangeResponse> = new Codec<NodeChangeResponse>(
  'flotilla.v1.NodeChangeResponse',
  createNodeChangeResponse,
  writeNodeChangeResponse,
  readNodeChangeResponse,
);

function createNodeChangeResponse(partial?: Partial<NodeChangeResponse>): NodeChangeResponse {
  return {
    header: partial?.header ?? null,
    configuration: partial?.configuration ?? 0,
  };
}

function writeNodeChangeResponse(writer: Writer, message: NodeChangeResponse): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(16);
  }
  if (message.header !== null) {
    const end = writer.size;
    ResponseHeader.write(writer, message.header);
    writer.varint32(writer.size - end);
    writer.varint32(10);
  }
}

function readNodeChangeResponse(reader: Reader, base: NodeChangeResponse): NodeChangeResponse {
  let header = base.header;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        header = ResponseHeader.read(reader, header ?? ResponseHeader.empty);
        reader.leave(outer);
        break;
      }
      case 16:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    header,
    configuration,
  };
}

export interface NodeLeaveRequest {
  readonly node: number;
  readonly configuration: number;
}

export const NodeLeaveRequest: Codec<NodeLeaveRequest> = new Codec<NodeLeaveRequest>(
  'flotilla.v1.NodeLeaveRequest',
  createNodeLeaveRequest,
  writeNodeLeaveRequest,
  readNodeLeaveRequest,
);

function createNodeLeaveRequest(partial?: Partial<NodeLeaveRequest>): NodeLeaveRequest {
  return {
    node: partial?.node ?? 0,
    configuration: partial?.configuration ?? 0,
  };
}

function writeNodeLeaveRequest(writer: Writer, message: NodeLeaveRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(16);
  }
  if (message.node !== 0) {
    writer.int64(message.node);
    writer.varint32(8);
  }
}

function readNodeLeaveRequest(reader: Reader, base: NodeLeaveRequest): NodeLeaveRequest {
  let node = base.node;
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        node = reader.int64();
        break;
      case 16:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    node,
    configuration,
  };
}

export interface ShardQueryRequest {
  readonly configuration: number;
}

export const ShardQueryRequest: Codec<ShardQueryRequest> = new Codec<ShardQueryRequest>(
  'flotilla.v1.ShardQueryRequest',
  createShardQueryRequest,
  writeShardQueryRequest,
  readShardQueryRequest,
);

function createShardQueryRequest(partial?: Partial<ShardQueryRequest>): ShardQueryRequest {
  return {
    configuration: partial?.configuration ?? 0,
  };
}

function writeShardQueryRequest(writer: Writer, message: ShardQueryRequest): void {
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardQueryRequest(reader: Reader, base: ShardQueryRequest): ShardQueryRequest {
  let configuration = base.configuration;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
  };
}

export interface ShardQueryResponse {
  readonly configuration: number;
  readonly shards: readonly ShardPlace[];
}

export const ShardQueryResponse: Codec<ShardQueryResponse> = new Codec<ShardQueryResponse>(
  'flotilla.v1.ShardQueryResponse',
  createShardQueryResponse,
  writeShardQueryResponse,
  readShardQueryResponse,
);

function createShardQueryResponse(partial?: Partial<ShardQueryResponse>): ShardQueryResponse {
  return {
    configuration: partial?.configuration ?? 0,
    shards: partial?.shards ?? EMPTY_LIST,
  };
}

function writeShardQueryResponse(writer: Writer, message: ShardQueryResponse): void {
  for (let index = message.shards.length - 1; index >= 0; index -= 1) {
    const end = writer.size;
    ShardPlace.write(writer, message.shards[index] as ShardPlace);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.configuration !== 0) {
    writer.int64(message.configuration);
    writer.varint32(8);
  }
}

function readShardQueryResponse(reader: Reader, base: ShardQueryResponse): ShardQueryResponse {
  let configuration = base.configuration;
  let shards: ShardPlace[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        configuration = reader.int64();
        break;
      case 18: {
        const outer = reader.enter();
        (shards ??= [...base.shards]).push(ShardPlace.read(reader, ShardPlace.empty));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    configuration,
    shards: shards ?? base.shards,
  };
}

export interface ShardPlace {
  readonly shard: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly rangeVersion: number;
  readonly membershipVersion: number;
  readonly nodes: readonly number[];
}

export const ShardPlace: Codec<ShardPlace> = new Codec<ShardPlace>(
  'flotilla.v1.ShardPlace',
  createShardPlace,
  writeShardPlace,
  readShardPlace,
);

function createShardPlace(partial?: Partial<ShardPlace>): ShardPlace {
  return {
    shard: partial?.shard ?? 0,
    start: partial?.start ?? EMPTY_BYTES,
    end: partial?.end ?? EMPTY_BYTES,
    rangeVersion: partial?.rangeVersion ?? 0,
    membershipVersion: partial?.membershipVersion ?? 0,
    nodes: partial?.nodes ?? EMPTY_LIST,
  };
}

function writeShardPlace(writer: Writer, message: ShardPlace): void {
  if (message.nodes.length > 0) {
    const end = writer.size;
    for (let index = message.nodes.length - 1; index >= 0; index -= 1) {
      writer.int64(message.nodes[index] as number);
    }
    writer.varint32(writer.size - end);
    writer.varint32(50);
  }
  if (message.membershipVersion !== 0) {
    writer.int64(message.membershipVersion);
    writer.varint32(40);
  }
  if (message.rangeVersion !== 0) {
    writer.int64(message.rangeVersion);
    writer.varint32(32);
  }
  if (message.end.length > 0) {
    writer.bytes(message.end);
    writer.varint32(26);
  }
  if (message.start.length > 0) {
    writer.bytes(message.start);
    writer.varint32(18);
  }
  if (message.shard !== 0) {
    writer.int64(message.shard);
    writer.varint32(8);
  }
}

function readShardPlace(reader: Reader, base: ShardPlace): ShardPlace {
  let shard = base.shard;
  let start = base.start;
  let end = base.end;
  let rangeVersion = base.rangeVersion;
  let membershipVersion = base.membershipVersion;
  let nodes: number[] | null = null;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        shard = reader.int64();
        break;
      case 18:
        start = reader.bytes();
        break;
      case 26:
        end = reader.bytes();
        break;
      case 32:
        rangeVersion = reader.int64();
        break;
      case 40:
        membershipVersion = reader.int64();
        break;
      case 48:
        (nodes ??= [...base.nodes]).push(reader.int64());
        break;
      case 50: {
        const outer = reader.beginPacked();
        while (reader.more()) (nodes ??= [...base.nodes]).push(reader.int64());
        reader.endPacked(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    shard,
    start,
    end,
    rangeVersion,
    membershipVersion,
    nodes: nodes ?? base.nodes,
  };
}

export const Shards = {
  name: 'flotilla.v1.Shards',
  methods: {
    Begin: method('/flotilla.v1.Shards/Begin', ShardBeginRequest, ShardProgress, 'server-stream'),
    List: method('/flotilla.v1.Shards/List', ShardListRequest, ShardListResponse, 'unary'),
    Split: method('/flotilla.v1.Shards/Split', ShardSplitRequest, ShardProgress, 'server-stream'),
    Merge: method('/flotilla.v1.Shards/Merge', ShardMergeRequest, ShardProgress, 'server-stream'),
    MoveReplica: method('/flotilla.v1.Shards/MoveReplica', ShardMoveRequest, ShardProgress, 'server-stream'),
    TransferLeader: method('/flotilla.v1.Shards/TransferLeader', ShardTransferLeaderRequest, ShardTransferLeaderResponse, 'unary'),
    SetReplicas: method('/flotilla.v1.Shards/SetReplicas', ShardSetReplicasRequest, ShardProgress, 'server-stream'),
    Explain: method('/flotilla.v1.Shards/Explain', ShardExplainRequest, ShardExplainResponse, 'unary'),
    History: method('/flotilla.v1.Shards/History', ShardHistoryRequest, ShardHistoryResponse, 'unary'),
  },
} as const;

export const Nodes = {
  name: 'flotilla.v1.Nodes',
  methods: {
    List: method('/flotilla.v1.Nodes/List', NodeListRequest, NodeListResponse, 'unary'),
    Join: method('/flotilla.v1.Nodes/Join', NodeJoinRequest, NodeChangeResponse, 'unary'),
    Leave: method('/flotilla.v1.Nodes/Leave', NodeLeaveRequest, ShardProgress, 'server-stream'),
    Drain: method('/flotilla.v1.Nodes/Drain', NodeLeaveRequest, ShardProgress, 'server-stream'),
  },
} as const;

export const ShardController = {
  name: 'flotilla.v1.ShardController',
  methods: {
    Join: method('/flotilla.v1.ShardController/Join', NodeJoinRequest, NodeChangeResponse, 'unary'),
    Leave: method('/flotilla.v1.ShardController/Leave', NodeLeaveRequest, ShardProgress, 'server-stream'),
    Move: method('/flotilla.v1.ShardController/Move', ShardMoveRequest, ShardProgress, 'server-stream'),
    Query: method('/flotilla.v1.ShardController/Query', ShardQueryRequest, ShardQueryResponse, 'unary'),
  },
} as const;
