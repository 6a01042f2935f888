// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import type { JsonField } from '../json/schema.ts';
import { Event, EventType, KeyValue } from './kv.ts';
import { Permission, PermissionType, UserAddOptions } from './auth.ts';
import { AlarmAction, AlarmMember, AlarmType, Compare, CompareResult, CompareTarget, DeleteRangeRequest, DeleteRangeResponse, DowngradeAction, DowngradeInfo, FilterType, LeaseCheckpoint, LeaseStatus, Member, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp, ResponseHeader, ResponseOp, SortOrder, SortTarget, TxnRequest, TxnResponse, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest } from './rpc.ts';
import { LeaderKey } from './v3election.ts';
import { ServingStatus } from './health.ts';
import { NodeInfo, NodeInfoLabel, Shard, ShardAlternative, ShardCandidate, ShardChange, ShardPlace, ShardReplica, ShardReplicaRole } from './flotilla.ts';

export const jsonFields: Readonly<Record<string, () => readonly JsonField[]>> = {
  'mvccpb.KeyValue': () => [
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'create_revision', property: 'createRevision', type: 'int64' },
    { name: 'mod_revision', property: 'modRevision', type: 'int64' },
    { name: 'version', property: 'version', type: 'int64' },
    { name: 'value', property: 'value', type: 'bytes' },
    { name: 'lease', property: 'lease', type: 'int64Exact' },
  ],
  'mvccpb.Event': () => [
    { name: 'type', property: 'type', type: 'enum', values: EventType },
    { name: 'kv', property: 'kv', type: 'message', codec: KeyValue },
    { name: 'prev_kv', property: 'prevKv', type: 'message', codec: KeyValue },
  ],
  'authpb.UserAddOptions': () => [
    { name: 'no_password', property: 'noPassword', type: 'bool' },
  ],
  'authpb.User': () => [
    { name: 'name', property: 'name', type: 'bytes' },
    { name: 'password', property: 'password', type: 'bytes' },
    { name: 'roles', property: 'roles', repeated: true, type: 'string' },
    { name: 'options', property: 'options', type: 'message', codec: UserAddOptions },
  ],
  'authpb.Permission': () => [
    { name: 'permType', property: 'permType', type: 'enum', values: PermissionType },
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
  ],
  'authpb.Role': () => [
    { name: 'name', property: 'name', type: 'bytes' },
    { name: 'keyPermission', property: 'keyPermission', repeated: true, type: 'message', codec: Permission },
  ],
  'etcdserverpb.ResponseHeader': () => [
    { name: 'cluster_id', property: 'clusterId', type: 'uint64' },
    { name: 'member_id', property: 'memberId', type: 'uint64' },
    { name: 'revision', property: 'revision', type: 'int64' },
    { name: 'raft_term', property: 'raftTerm', type: 'uint64' },
  ],
  'etcdserverpb.RangeRequest': () => [
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
    { name: 'limit', property: 'limit', type: 'int64' },
    { name: 'revision', property: 'revision', type: 'int64' },
    { name: 'sort_order', property: 'sortOrder', type: 'enum', values: SortOrder },
    { name: 'sort_target', property: 'sortTarget', type: 'enum', values: SortTarget },
    { name: 'serializable', property: 'serializable', type: 'bool' },
    { name: 'keys_only', property: 'keysOnly', type: 'bool' },
    { name: 'count_only', property: 'countOnly', type: 'bool' },
    { name: 'min_mod_revision', property: 'minModRevision', type: 'int64' },
    { name: 'max_mod_revision', property: 'maxModRevision', type: 'int64' },
    { name: 'min_create_revision', property: 'minCreateRevision', type: 'int64' },
    { name: 'max_create_revision', property: 'maxCreateRevision', type: 'int64' },
  ],
  'etcdserverpb.RangeResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'kvs', property: 'kvs', repeated: true, type: 'message', codec: KeyValue },
    { name: 'more', property: 'more', type: 'bool' },
    { name: 'count', property: 'count', type: 'int64' },
  ],
  'etcdserverpb.RangeStreamResponse': () => [
    { name: 'range_response', property: 'rangeResponse', type: 'message', codec: RangeResponse },
  ],
  'etcdserverpb.PutRequest': () => [
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'value', property: 'value', type: 'bytes' },
    { name: 'lease', property: 'lease', type: 'int64Exact' },
    { name: 'prev_kv', property: 'prevKv', type: 'bool' },
    { name: 'ignore_value', property: 'ignoreValue', type: 'bool' },
    { name: 'ignore_lease', property: 'ignoreLease', type: 'bool' },
  ],
  'etcdserverpb.PutResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'prev_kv', property: 'prevKv', type: 'message', codec: KeyValue },
  ],
  'etcdserverpb.DeleteRangeRequest': () => [
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
    { name: 'prev_kv', property: 'prevKv', type: 'bool' },
  ],
  'etcdserverpb.DeleteRangeResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'deleted', property: 'deleted', type: 'int64' },
    { name: 'prev_kvs', property: 'prevKvs', repeated: true, type: 'message', codec: KeyValue },
  ],
  'etcdserverpb.RequestOp': () => [
    { name: 'request_range', property: 'requestRange', oneof: 'request', type: 'message', codec: RangeRequest },
    { name: 'request_put', property: 'requestPut', oneof: 'request', type: 'message', codec: PutRequest },
    { name: 'request_delete_range', property: 'requestDeleteRange', oneof: 'request', type: 'message', codec: DeleteRangeRequest },
    { name: 'request_txn', property: 'requestTxn', oneof: 'request', type: 'message', codec: TxnRequest },
  ],
  'etcdserverpb.ResponseOp': () => [
    { name: 'response_range', property: 'responseRange', oneof: 'response', type: 'message', codec: RangeResponse },
    { name: 'response_put', property: 'responsePut', oneof: 'response', type: 'message', codec: PutResponse },
    { name: 'response_delete_range', property: 'responseDeleteRange', oneof: 'response', type: 'message', codec: DeleteRangeResponse },
    { name: 'response_txn', property: 'responseTxn', oneof: 'response', type: 'message', codec: TxnResponse },
  ],
  'etcdserverpb.Compare': () => [
    { name: 'result', property: 'result', type: 'enum', values: CompareResult },
    { name: 'target', property: 'target', type: 'enum', values: CompareTarget },
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'version', property: 'version', oneof: 'targetUnion', type: 'int64' },
    { name: 'create_revision', property: 'createRevision', oneof: 'targetUnion', type: 'int64' },
    { name: 'mod_revision', property: 'modRevision', oneof: 'targetUnion', type: 'int64' },
    { name: 'value', property: 'value', oneof: 'targetUnion', type: 'bytes' },
    { name: 'lease', property: 'lease', oneof: 'targetUnion', type: 'int64Exact' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
  ],
  'etcdserverpb.TxnRequest': () => [
    { name: 'compare', property: 'compare', repeated: true, type: 'message', codec: Compare },
    { name: 'success', property: 'success', repeated: true, type: 'message', codec: RequestOp },
    { name: 'failure', property: 'failure', repeated: true, type: 'message', codec: RequestOp },
  ],
  'etcdserverpb.TxnResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'succeeded', property: 'succeeded', type: 'bool' },
    { name: 'responses', property: 'responses', repeated: true, type: 'message', codec: ResponseOp },
  ],
  'etcdserverpb.CompactionRequest': () => [
    { name: 'revision', property: 'revision', type: 'int64' },
    { name: 'physical', property: 'physical', type: 'bool' },
  ],
  'etcdserverpb.CompactionResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.HashRequest': () => [],
  'etcdserverpb.HashKVRequest': () => [
    { name: 'revision', property: 'revision', type: 'int64' },
  ],
  'etcdserverpb.HashKVResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'hash', property: 'hash', type: 'uint32' },
    { name: 'compact_revision', property: 'compactRevision', type: 'int64' },
    { name: 'hash_revision', property: 'hashRevision', type: 'int64' },
  ],
  'etcdserverpb.HashResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'hash', property: 'hash', type: 'uint32' },
  ],
  'etcdserverpb.SnapshotRequest': () => [],
  'etcdserverpb.SnapshotResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'remaining_bytes', property: 'remainingBytes', type: 'uint64' },
    { name: 'blob', property: 'blob', type: 'bytes' },
    { name: 'version', property: 'version', type: 'string' },
  ],
  'etcdserverpb.WatchRequest': () => [
    { name: 'create_request', property: 'createRequest', oneof: 'requestUnion', type: 'message', codec: WatchCreateRequest },
    { name: 'cancel_request', property: 'cancelRequest', oneof: 'requestUnion', type: 'message', codec: WatchCancelRequest },
    { name: 'progress_request', property: 'progressRequest', oneof: 'requestUnion', type: 'message', codec: WatchProgressRequest },
  ],
  'etcdserverpb.WatchCreateRequest': () => [
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
    { name: 'start_revision', property: 'startRevision', type: 'int64' },
    { name: 'progress_notify', property: 'progressNotify', type: 'bool' },
    { name: 'filters', property: 'filters', repeated: true, type: 'enum', values: FilterType },
    { name: 'prev_kv', property: 'prevKv', type: 'bool' },
    { name: 'watch_id', property: 'watchId', type: 'int64' },
    { name: 'fragment', property: 'fragment', type: 'bool' },
  ],
  'etcdserverpb.WatchCancelRequest': () => [
    { name: 'watch_id', property: 'watchId', type: 'int64' },
  ],
  'etcdserverpb.WatchProgressRequest': () => [],
  'etcdserverpb.WatchResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'watch_id', property: 'watchId', type: 'int64' },
    { name: 'created', property: 'created', type: 'bool' },
    { name: 'canceled', property: 'canceled', type: 'bool' },
    { name: 'compact_revision', property: 'compactRevision', type: 'int64' },
    { name: 'cancel_reason', property: 'cancelReason', type: 'string' },
    { name: 'fragment', property: 'fragment', type: 'bool' },
    { name: 'events', property: 'events', repeated: true, type: 'message', codec: Event },
  ],
  'etcdserverpb.LeaseGrantRequest': () => [
    { name: 'TTL', property: 'ttl', type: 'int64' },
    { name: 'ID', property: 'id', type: 'int64Exact' },
  ],
  'etcdserverpb.LeaseGrantResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'ID', property: 'id', type: 'int64Exact' },
    { name: 'TTL', property: 'ttl', type: 'int64' },
    { name: 'error', property: 'error', type: 'string' },
  ],
  'etcdserverpb.LeaseRevokeRequest': () => [
    { name: 'ID', property: 'id', type: 'int64Exact' },
  ],
  'etcdserverpb.LeaseRevokeResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.LeaseCheckpoint': () => [
    { name: 'ID', property: 'id', type: 'int64Exact' },
    { name: 'remaining_TTL', property: 'remainingTtl', type: 'int64' },
  ],
  'etcdserverpb.LeaseCheckpointRequest': () => [
    { name: 'checkpoints', property: 'checkpoints', repeated: true, type: 'message', codec: LeaseCheckpoint },
  ],
  'etcdserverpb.LeaseCheckpointResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.LeaseKeepAliveRequest': () => [
    { name: 'ID', property: 'id', type: 'int64Exact' },
  ],
  'etcdserverpb.LeaseKeepAliveResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'ID', property: 'id', type: 'int64Exact' },
    { name: 'TTL', property: 'ttl', type: 'int64' },
  ],
  'etcdserverpb.LeaseTimeToLiveRequest': () => [
    { name: 'ID', property: 'id', type: 'int64Exact' },
    { name: 'keys', property: 'keys', type: 'bool' },
  ],
  'etcdserverpb.LeaseTimeToLiveResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'ID', property: 'id', type: 'int64Exact' },
    { name: 'TTL', property: 'ttl', type: 'int64' },
    { name: 'grantedTTL', property: 'grantedTtl', type: 'int64' },
    { name: 'keys', property: 'keys', repeated: true, type: 'bytes' },
  ],
  'etcdserverpb.LeaseLeasesRequest': () => [],
  'etcdserverpb.LeaseStatus': () => [
    { name: 'ID', property: 'id', type: 'int64Exact' },
  ],
  'etcdserverpb.LeaseLeasesResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'leases', property: 'leases', repeated: true, type: 'message', codec: LeaseStatus },
  ],
  'etcdserverpb.Member': () => [
    { name: 'ID', property: 'id', type: 'uint64' },
    { name: 'name', property: 'name', type: 'string' },
    { name: 'peerURLs', property: 'peerUrls', repeated: true, type: 'string' },
    { name: 'clientURLs', property: 'clientUrls', repeated: true, type: 'string' },
    { name: 'isLearner', property: 'isLearner', type: 'bool' },
  ],
  'etcdserverpb.MemberAddRequest': () => [
    { name: 'peerURLs', property: 'peerUrls', repeated: true, type: 'string' },
    { name: 'isLearner', property: 'isLearner', type: 'bool' },
  ],
  'etcdserverpb.MemberAddResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'member', property: 'member', type: 'message', codec: Member },
    { name: 'members', property: 'members', repeated: true, type: 'message', codec: Member },
  ],
  'etcdserverpb.MemberRemoveRequest': () => [
    { name: 'ID', property: 'id', type: 'uint64' },
  ],
  'etcdserverpb.MemberRemoveResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'members', property: 'members', repeated: true, type: 'message', codec: Member },
  ],
  'etcdserverpb.MemberUpdateRequest': () => [
    { name: 'ID', property: 'id', type: 'uint64' },
    { name: 'peerURLs', property: 'peerUrls', repeated: true, type: 'string' },
  ],
  'etcdserverpb.MemberUpdateResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'members', property: 'members', repeated: true, type: 'message', codec: Member },
  ],
  'etcdserverpb.MemberListRequest': () => [
    { name: 'linearizable', property: 'linearizable', type: 'bool' },
  ],
  'etcdserverpb.MemberListResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'members', property: 'members', repeated: true, type: 'message', codec: Member },
  ],
  'etcdserverpb.MemberPromoteRequest': () => [
    { name: 'ID', property: 'id', type: 'uint64' },
  ],
  'etcdserverpb.MemberPromoteResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'members', property: 'members', repeated: true, type: 'message', codec: Member },
  ],
  'etcdserverpb.DefragmentRequest': () => [],
  'etcdserverpb.DefragmentResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.MoveLeaderRequest': () => [
    { name: 'targetID', property: 'targetId', type: 'uint64' },
  ],
  'etcdserverpb.MoveLeaderResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AlarmRequest': () => [
    { name: 'action', property: 'action', type: 'enum', values: AlarmAction },
    { name: 'memberID', property: 'memberId', type: 'uint64' },
    { name: 'alarm', property: 'alarm', type: 'enum', values: AlarmType },
  ],
  'etcdserverpb.AlarmMember': () => [
    { name: 'memberID', property: 'memberId', type: 'uint64' },
    { name: 'alarm', property: 'alarm', type: 'enum', values: AlarmType },
  ],
  'etcdserverpb.AlarmResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'alarms', property: 'alarms', repeated: true, type: 'message', codec: AlarmMember },
  ],
  'etcdserverpb.DowngradeRequest': () => [
    { name: 'action', property: 'action', type: 'enum', values: DowngradeAction },
    { name: 'version', property: 'version', type: 'string' },
  ],
  'etcdserverpb.DowngradeResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'version', property: 'version', type: 'string' },
  ],
  'etcdserverpb.DowngradeVersionTestRequest': () => [
    { name: 'ver', property: 'ver', type: 'string' },
  ],
  'etcdserverpb.StatusRequest': () => [],
  'etcdserverpb.StatusResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'version', property: 'version', type: 'string' },
    { name: 'dbSize', property: 'dbSize', type: 'int64' },
    { name: 'leader', property: 'leader', type: 'uint64' },
    { name: 'raftIndex', property: 'raftIndex', type: 'uint64' },
    { name: 'raftTerm', property: 'raftTerm', type: 'uint64' },
    { name: 'raftAppliedIndex', property: 'raftAppliedIndex', type: 'uint64' },
    { name: 'errors', property: 'errors', repeated: true, type: 'string' },
    { name: 'dbSizeInUse', property: 'dbSizeInUse', type: 'int64' },
    { name: 'isLearner', property: 'isLearner', type: 'bool' },
    { name: 'storageVersion', property: 'storageVersion', type: 'string' },
    { name: 'dbSizeQuota', property: 'dbSizeQuota', type: 'int64' },
    { name: 'downgradeInfo', property: 'downgradeInfo', type: 'message', codec: DowngradeInfo },
  ],
  'etcdserverpb.DowngradeInfo': () => [
    { name: 'enabled', property: 'enabled', type: 'bool' },
    { name: 'targetVersion', property: 'targetVersion', type: 'string' },
  ],
  'etcdserverpb.AuthEnableRequest': () => [],
  'etcdserverpb.AuthDisableRequest': () => [],
  'etcdserverpb.AuthStatusRequest': () => [],
  'etcdserverpb.AuthenticateRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'password', property: 'password', type: 'string' },
  ],
  'etcdserverpb.AuthUserAddRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'password', property: 'password', type: 'string' },
    { name: 'options', property: 'options', type: 'message', codec: UserAddOptions },
    { name: 'hashedPassword', property: 'hashedPassword', type: 'string' },
  ],
  'etcdserverpb.AuthUserGetRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
  ],
  'etcdserverpb.AuthUserDeleteRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
  ],
  'etcdserverpb.AuthUserChangePasswordRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'password', property: 'password', type: 'string' },
    { name: 'hashedPassword', property: 'hashedPassword', type: 'string' },
  ],
  'etcdserverpb.AuthUserGrantRoleRequest': () => [
    { name: 'user', property: 'user', type: 'string' },
    { name: 'role', property: 'role', type: 'string' },
  ],
  'etcdserverpb.AuthUserRevokeRoleRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'role', property: 'role', type: 'string' },
  ],
  'etcdserverpb.AuthRoleAddRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
  ],
  'etcdserverpb.AuthRoleGetRequest': () => [
    { name: 'role', property: 'role', type: 'string' },
  ],
  'etcdserverpb.AuthUserListRequest': () => [],
  'etcdserverpb.AuthRoleListRequest': () => [],
  'etcdserverpb.AuthRoleDeleteRequest': () => [
    { name: 'role', property: 'role', type: 'string' },
  ],
  'etcdserverpb.AuthRoleGrantPermissionRequest': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'perm', property: 'perm', type: 'message', codec: Permission },
  ],
  'etcdserverpb.AuthRoleRevokePermissionRequest': () => [
    { name: 'role', property: 'role', type: 'string' },
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'range_end', property: 'rangeEnd', type: 'bytes' },
  ],
  'etcdserverpb.AuthEnableResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthDisableResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthStatusResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'enabled', property: 'enabled', type: 'bool' },
    { name: 'authRevision', property: 'authRevision', type: 'uint64' },
  ],
  'etcdserverpb.AuthenticateResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'token', property: 'token', type: 'string' },
  ],
  'etcdserverpb.AuthUserAddResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthUserGetResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'roles', property: 'roles', repeated: true, type: 'string' },
  ],
  'etcdserverpb.AuthUserDeleteResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthUserChangePasswordResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthUserGrantRoleResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthUserRevokeRoleResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthRoleAddResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthRoleGetResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'perm', property: 'perm', repeated: true, type: 'message', codec: Permission },
  ],
  'etcdserverpb.AuthRoleListResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'roles', property: 'roles', repeated: true, type: 'string' },
  ],
  'etcdserverpb.AuthUserListResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'users', property: 'users', repeated: true, type: 'string' },
  ],
  'etcdserverpb.AuthRoleDeleteResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthRoleGrantPermissionResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'etcdserverpb.AuthRoleRevokePermissionResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'v3lockpb.LockRequest': () => [
    { name: 'name', property: 'name', type: 'bytes' },
    { name: 'lease', property: 'lease', type: 'int64Exact' },
  ],
  'v3lockpb.LockResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'key', property: 'key', type: 'bytes' },
  ],
  'v3lockpb.UnlockRequest': () => [
    { name: 'key', property: 'key', type: 'bytes' },
  ],
  'v3lockpb.UnlockResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'v3electionpb.CampaignRequest': () => [
    { name: 'name', property: 'name', type: 'bytes' },
    { name: 'lease', property: 'lease', type: 'int64Exact' },
    { name: 'value', property: 'value', type: 'bytes' },
  ],
  'v3electionpb.CampaignResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'leader', property: 'leader', type: 'message', codec: LeaderKey },
  ],
  'v3electionpb.LeaderKey': () => [
    { name: 'name', property: 'name', type: 'bytes' },
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'rev', property: 'rev', type: 'int64' },
    { name: 'lease', property: 'lease', type: 'int64Exact' },
  ],
  'v3electionpb.LeaderRequest': () => [
    { name: 'name', property: 'name', type: 'bytes' },
  ],
  'v3electionpb.LeaderResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'kv', property: 'kv', type: 'message', codec: KeyValue },
  ],
  'v3electionpb.ResignRequest': () => [
    { name: 'leader', property: 'leader', type: 'message', codec: LeaderKey },
  ],
  'v3electionpb.ResignResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'v3electionpb.ProclaimRequest': () => [
    { name: 'leader', property: 'leader', type: 'message', codec: LeaderKey },
    { name: 'value', property: 'value', type: 'bytes' },
  ],
  'v3electionpb.ProclaimResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
  ],
  'grpc.health.v1.HealthCheckRequest': () => [
    { name: 'service', property: 'service', type: 'string' },
  ],
  'grpc.health.v1.HealthCheckResponse': () => [
    { name: 'status', property: 'status', type: 'enum', values: ServingStatus },
  ],
  'flotilla.v1.ShardReplica': () => [
    { name: 'node', property: 'node', type: 'int64' },
    { name: 'role', property: 'role', type: 'enum', values: ShardReplicaRole },
    { name: 'leaving', property: 'leaving', type: 'bool' },
  ],
  'flotilla.v1.Shard': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'start', property: 'start', type: 'bytes' },
    { name: 'end', property: 'end', type: 'bytes' },
    { name: 'range_version', property: 'rangeVersion', type: 'int64' },
    { name: 'membership_version', property: 'membershipVersion', type: 'int64' },
    { name: 'replicas', property: 'replicas', repeated: true, type: 'message', codec: ShardReplica },
    { name: 'leader', property: 'leader', type: 'int64' },
    { name: 'size_bytes', property: 'sizeBytes', type: 'int64' },
    { name: 'keys', property: 'keys', type: 'int64' },
    { name: 'writes_per_second', property: 'writesPerSecond', type: 'int64' },
    { name: 'reads_per_second', property: 'readsPerSecond', type: 'int64' },
    { name: 'under_way', property: 'underWay', type: 'string' },
    { name: 'wanted_replicas', property: 'wantedReplicas', type: 'int64' },
    { name: 'kept', property: 'kept', type: 'bool' },
  ],
  'flotilla.v1.NodeInfo': () => [
    { name: 'node', property: 'node', type: 'int64' },
    { name: 'name', property: 'name', type: 'string' },
    { name: 'member_id', property: 'memberId', type: 'uint64' },
    { name: 'state', property: 'state', type: 'string' },
    { name: 'zone', property: 'zone', type: 'string' },
    { name: 'labels', property: 'labels', repeated: true, type: 'message', codec: NodeInfoLabel },
    { name: 'live', property: 'live', type: 'bool' },
    { name: 'replicas', property: 'replicas', type: 'int64' },
    { name: 'leaders', property: 'leaders', type: 'int64' },
    { name: 'size_bytes', property: 'sizeBytes', type: 'int64' },
    { name: 'leaving', property: 'leaving', type: 'bool' },
  ],
  'flotilla.v1.NodeInfoLabel': () => [
    { name: 'name', property: 'name', type: 'string' },
    { name: 'value', property: 'value', type: 'string' },
  ],
  'flotilla.v1.ShardProgress': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'phase', property: 'phase', type: 'string' },
    { name: 'text', property: 'text', type: 'string' },
    { name: 'done', property: 'done', type: 'int64' },
    { name: 'total', property: 'total', type: 'int64' },
    { name: 'finished', property: 'finished', type: 'bool' },
    { name: 'shard', property: 'shard', type: 'int64' },
  ],
  'flotilla.v1.ShardBeginRequest': () => [
    { name: 'shards', property: 'shards', type: 'int64' },
    { name: 'keys', property: 'keys', repeated: true, type: 'bytes' },
    { name: 'replicas', property: 'replicas', type: 'int64' },
  ],
  'flotilla.v1.ShardListRequest': () => [],
  'flotilla.v1.ShardListResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'shards', property: 'shards', repeated: true, type: 'message', codec: Shard },
  ],
  'flotilla.v1.ShardSplitRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'key', property: 'key', type: 'bytes' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardMergeRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'into', property: 'into', type: 'int64' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardMoveRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'from', property: 'from', type: 'int64' },
    { name: 'to', property: 'to', type: 'int64' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardTransferLeaderRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'to', property: 'to', type: 'int64' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardTransferLeaderResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'leader', property: 'leader', type: 'int64' },
  ],
  'flotilla.v1.ShardSetReplicasRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'replicas', property: 'replicas', type: 'int64' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardExplainRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
  ],
  'flotilla.v1.ShardExplainResponse': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'need', property: 'need', type: 'string' },
    { name: 'because', property: 'because', type: 'string' },
    { name: 'words', property: 'words', type: 'string' },
    { name: 'operation', property: 'operation', type: 'string' },
    { name: 'candidates', property: 'candidates', repeated: true, type: 'message', codec: ShardCandidate },
    { name: 'alternatives', property: 'alternatives', repeated: true, type: 'message', codec: ShardAlternative },
  ],
  'flotilla.v1.ShardCandidate': () => [
    { name: 'node', property: 'node', type: 'int64' },
    { name: 'refusal', property: 'refusal', type: 'string' },
  ],
  'flotilla.v1.ShardAlternative': () => [
    { name: 'kind', property: 'kind', type: 'string' },
    { name: 'dimension', property: 'dimension', type: 'string' },
    { name: 'from', property: 'from', type: 'int64' },
    { name: 'because', property: 'because', type: 'string' },
    { name: 'words', property: 'words', type: 'string' },
    { name: 'candidates', property: 'candidates', repeated: true, type: 'message', codec: ShardCandidate },
  ],
  'flotilla.v1.ShardHistoryRequest': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'limit', property: 'limit', type: 'int64' },
  ],
  'flotilla.v1.ShardHistoryResponse': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'oldest', property: 'oldest', type: 'int64' },
    { name: 'changes', property: 'changes', repeated: true, type: 'message', codec: ShardChange },
  ],
  'flotilla.v1.ShardChange': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'index', property: 'index', type: 'int64' },
    { name: 'revision', property: 'revision', type: 'int64' },
    { name: 'kind', property: 'kind', type: 'string' },
    { name: 'text', property: 'text', type: 'string' },
    { name: 'shards', property: 'shards', repeated: true, type: 'int64' },
  ],
  'flotilla.v1.NodeListRequest': () => [],
  'flotilla.v1.NodeListResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'nodes', property: 'nodes', repeated: true, type: 'message', codec: NodeInfo },
  ],
  'flotilla.v1.NodeJoinRequest': () => [
    { name: 'node', property: 'node', type: 'int64' },
    { name: 'zone', property: 'zone', type: 'string' },
    { name: 'labels', property: 'labels', repeated: true, type: 'message', codec: NodeInfoLabel },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.NodeChangeResponse': () => [
    { name: 'header', property: 'header', type: 'message', codec: ResponseHeader },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.NodeLeaveRequest': () => [
    { name: 'node', property: 'node', type: 'int64' },
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardQueryRequest': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
  ],
  'flotilla.v1.ShardQueryResponse': () => [
    { name: 'configuration', property: 'configuration', type: 'int64' },
    { name: 'shards', property: 'shards', repeated: true, type: 'message', codec: ShardPlace },
  ],
  'flotilla.v1.ShardPlace': () => [
    { name: 'shard', property: 'shard', type: 'int64' },
    { name: 'start', property: 'start', type: 'bytes' },
    { name: 'end', property: 'end', type: 'bytes' },
    { name: 'range_version', property: 'rangeVersion', type: 'int64' },
    { name: 'membership_version', property: 'membershipVersion', type: 'int64' },
    { name: 'nodes', property: 'nodes', repeated: true, type: 'int64' },
  ],
};
