export { AuthAdministration } from './administration/auth.ts';
export type { Access, RolePermission, Roles, Users } from './administration/auth.ts';
export { Maintenance } from './administration/maintenance.ts';
export type {
  AlarmMember,
  HashKVResponse,
  MemberOptions,
  StatusResponse,
} from './administration/maintenance.ts';
export { Members } from './administration/members.ts';
export type { Member } from './administration/members.ts';
export type { Bytes } from './bytes.ts';
export { Client } from './client.ts';
export type { ClientOptions } from './client.ts';
export type { UserPassword } from './connection/credentials.ts';
export type { RequestOptions } from './connection/requester.ts';
export { Election, Leadership } from './concurrency/election.ts';
export { Holding } from './concurrency/holding.ts';
export { Lock } from './concurrency/lock.ts';
export type { QueueOptions } from './concurrency/queue.ts';
export { Entry } from './entry.ts';
export { EtcdError, WatchCompactedError } from './errors.ts';
export type { EtcdReason, Outcome } from './errors.ts';
export { when } from './kv/compare.ts';
export type { Comparison, Condition } from './kv/compare.ts';
export type { StreamOptions } from './kv/kv.ts';
export { op } from './kv/operations.ts';
export type {
  DeleteOptions,
  DeleteResult,
  GetOptions,
  LeaseLike,
  Operation,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  SortBy,
} from './kv/operations.ts';
export type { Page, PageOptions } from './kv/pages.ts';
export { SoftwareTransaction } from './kv/stm.ts';
export type { StmBody, StmOptions } from './kv/stm.ts';
export { Transaction } from './kv/transaction.ts';
export type { CommitOptions, Results, TransactionResult } from './kv/transaction.ts';
export { Lease } from './lease/lease.ts';
export { Leases } from './lease/leases.ts';
export type { LeaseState } from './lease/leases.ts';
export type { ClientWorld } from './platform.ts';
export type { KeyOrSpan, Span } from './span.ts';
export type { WatchBatch, WatchEvent } from './watch/event.ts';
export { Watcher } from './watch/watcher.ts';
export type { WatchOptions } from './watch/watcher.ts';
