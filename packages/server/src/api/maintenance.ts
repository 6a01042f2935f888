import {
  AlarmAction,
  type AlarmRequest,
  type AlarmResponse,
  AlarmType,
  etcdErrors,
  type HashKVRequest,
  type HashKVResponse,
  type HashResponse,
  Maintenance,
  type Method,
  ResponseHeader,
  RpcError,
  type ServerStream,
  serverStream,
  type SnapshotResponse,
  Status,
  type StatusResponse,
  unary,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { API_VERSION } from '../member/version.ts';

const noHeader = ResponseHeader.create();

/**
 * `etcdserverpb.Maintenance`, as far as it is real here. Defragment has nothing to do, since free pages are used
 * again, and says that it is done. An alarm is a fact, not a switch: NOSPACE is there while the state is at its quota.
 */
export function maintenanceMethods(backend: Backend): Method[] {
  const { access } = backend;
  return [
    unary(Maintenance.methods.Status, (_request, call) => {
      access.requireUser(call);
      return statusResponse(backend);
    }),
    unary(Maintenance.methods.Alarm, (request, call) => {
      if (request.action === AlarmAction.GET) access.requireUser(call);
      else access.requireRoot(call);
      return alarm(backend, request);
    }),
    unary(Maintenance.methods.Defragment, (_request, call) => {
      access.requireRoot(call);
      return { header: backend.stamp(null) };
    }),
    unary(Maintenance.methods.HashKV, (request, call) => {
      access.requireRoot(call);
      return hashKv(backend, request);
    }),
    unary(Maintenance.methods.Hash, (_request, call) => {
      access.requireRoot(call);
      return hash(backend);
    }),
    serverStream(Maintenance.methods.Snapshot, (_request, stream) => {
      access.requireRoot(stream);
      return snapshot(backend, stream);
    }),
  ];
}

async function hashKv(backend: Backend, request: HashKVRequest): Promise<HashKVResponse> {
  backend.requireState();
  const { hash, hashRevision, compactRevision, revision } = await backend.operations.hashKeyValues(
    request.revision,
  );
  return { header: backend.stamp({ ...noHeader, revision }), hash, compactRevision, hashRevision };
}

async function hash(backend: Backend): Promise<HashResponse> {
  backend.requireState();
  return { hash: await backend.operations.hash(), header: backend.stamp(null) };
}

async function snapshot(backend: Backend, stream: ServerStream<never, SnapshotResponse>): Promise<void> {
  backend.requireState();
  await backend.operations.snapshot(async (file) => {
    for await (const { bytes, remainingBytes } of file.blobs()) {
      const response = {
        header: null,
        remainingBytes: BigInt(remainingBytes),
        blob: bytes,
        version: API_VERSION,
      };
      if (!stream.write(response)) await stream.drained();
    }
  });
}

function statusResponse(backend: Backend): StatusResponse {
  const status = backend.status();
  const errors: string[] = [];
  if (status.leaderId === 0n) errors.push(etcdErrors.noLeader.message);
  if (backend.overQuota(0)) errors.push(`memberID:${status.memberId} alarm:NOSPACE `);
  return {
    header: backend.stamp(null),
    version: API_VERSION,
    dbSize: status.storageBytes,
    leader: status.leaderId,
    raftIndex: BigInt(status.commitIndex),
    raftTerm: BigInt(status.term),
    raftAppliedIndex: BigInt(status.appliedIndex),
    errors,
    dbSizeInUse: Math.min(status.liveBytes, status.storageBytes),
    isLearner: status.isLearner,
    storageVersion: API_VERSION,
    dbSizeQuota: status.quotaBytes,
    downgradeInfo: { enabled: false, targetVersion: '' },
  };
}

function alarm(backend: Backend, request: AlarmRequest): AlarmResponse {
  if (request.action === AlarmAction.ACTIVATE) {
    throw new RpcError(Status.UNIMPLEMENTED, 'alarms cannot be raised by hand');
  }
  const raised = request.action === AlarmAction.GET && backend.overQuota(0);
  const { memberId } = backend.status();
  return { header: backend.stamp(null), alarms: raised ? [{ memberId, alarm: AlarmType.NOSPACE }] : [] };
}
