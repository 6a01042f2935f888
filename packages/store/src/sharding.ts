/** What the server needs of shards and of their order. docs/ordering.md has the rules. */
export { header } from './mvcc/header.ts';
export { readRevision, scanLimit, sortAndCut } from './mvcc/range.ts';
export { checkRange, holdsForAll } from './mvcc/txn.ts';
export { decodePlain, encodePlain } from './encoding/plain.ts';
export { type Assignment, ClusterConfiguration, type ClusterNode } from './order/cluster-configuration.ts';
export { everyShard, type Wish, type WishKind } from './order/cluster-wishes.ts';
export type { ConfigurationChange, ConfigurationStep } from './order/configuration-history.ts';
export { hashRevisionOf, KeyValueHasher, revisionKey } from './hash/hash-kv.ts';
export { compareRecords, type OrderedRecord, type RecordPiece, RecordStream } from './hash/record-stream.ts';
export type { ShardedContents } from './etcd-file/etcd-contents.ts';
export * from './order/order-entry.ts';
export { orderErrors } from './order/order-errors.ts';
export { decodeOrderEntry, encodeOrderEntry } from './order/order-entry-codec.ts';
export { OrderLeader } from './order/order-leader.ts';
export { OrderMachine, type OrderParts } from './order/order-machine.ts';
export { ShardMap, type ShardRow } from './order/shard-map.ts';
export type { OrderedLease } from './order/lease-registry.ts';
export { fragmentOf } from './shard/fragment.ts';
export { joinParts, type TakenPlace } from './shard/join.ts';
export * from './shard/key-span.ts';
export { type CommittedOutcome, orderSession, type RequestOrigin } from './shard/request-memory.ts';
export * from './shard/shard-entry.ts';
export {
  decodeShardEntry,
  encodeRequest,
  encodeShardEntry,
  type RawRequest,
} from './shard/shard-entry-codec.ts';
export { type Frontier, type ShardAnswer, ShardLeader } from './shard/shard-leader.ts';
export { type ShardBounds, ShardMachine, type ShardParts } from './shard/shard-machine.ts';
export { countPage, type Page, type PageFilter, type PageRequest, readPage } from './shard/shard-page.ts';
export * from './shard/replica-parts.ts';
export { ShardReplica } from './shard/shard-replica.ts';
export type { PinnedKeys, ShardAccess, ShardStore } from './shard/shard-store.ts';
export { asTxn, type Footprint, footprintOf, type WriteRequest } from './shard/write-request.ts';
export { decodeReply, encodeReply } from './sessions/reply.ts';
export {
  decodeEventAnswer,
  decodeEventRequest,
  encodeEventAnswer,
  encodeEventRequest,
} from './watch/event-codec.ts';
export { type EventAnswer, type EventPosition, type EventRequest, ShardEvent } from './watch/event-page.ts';
export { MergedHistory, type MergedHistoryParts } from './watch/merged-history.ts';
export { readShardEvents } from './watch/read-events.ts';
