import type { Platform } from '@flotilla/platform';
import {
  AlarmAction,
  type AlarmRequest,
  type AlarmResponse,
  etcdErrors,
  type HashKVRequest,
  type HashKVResponse,
  type HashResponse,
  Maintenance,
  type Method,
  ResponseHeader,
  type ServerStream,
  serverStream,
  type SnapshotResponse,
  type StatusResponse,
  unary,
  AlarmType,
  RpcError,
  Status,
} from '@flotilla/wire';
import { type Origin, selectedAlarms } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { API_VERSION } from '../member/version.ts';
import { alarmName } from './alarm-name.ts';
import { downgrade } from './downgrade.ts';
import { originOf } from './origin.ts';
import { taken } from './reading-client.ts';

const noHeader = ResponseHeader.create();

/** `etcdserverpb.Maintenance`. Defragment has nothing to do, since free pages are used again, and says that it is done. */
export function maintenanceMethods(backend: Backend, platform: Platform): Method[] {
  const { access } = backend;
  return [
    unary(Maintenance.methods.Status, (_request, call) => {
      access.requireUser(call);
      return statusResponse(backend);
    }),
    unary(Maintenance.methods.Alarm, (request, call, bytes) => {
      if (request.action === AlarmAction.GET) access.requireUser(call);
      else access.requireRoot(call);
      return alarm(backend, request, bytes, originOf(backend, call, bytes));
    }),
    unary(Maintenance.methods.Defragment, (_request, call) => {
      access.requireRoot(call);
      // etcd answers this one without a header.
      return { header: null };
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
      return snapshot(backend, platform, stream);
    }),
    unary(Maintenance.methods.Downgrade, (request, call, bytes) => {
      access.requireRoot(call);
      return downgrade(backend, request, originOf(backend, call, bytes));
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

async function snapshot(
  backend: Backend,
  platform: Platform,
  stream: ServerStream<never, SnapshotResponse>,
): Promise<void> {
  backend.requireState();
  await backend.operations.snapshot(async (file) => {
    for await (const { bytes, remainingBytes } of file.blobs()) {
      const response = {
        header: null,
        remainingBytes: BigInt(remainingBytes),
        blob: bytes,
        version: API_VERSION,
      };
      if (!stream.write(response)) await taken(platform, stream);
    }
  });
}

function statusResponse(backend: Backend): StatusResponse {
  const status = backend.status();
  const { downgradeTarget } = backend.operations;
  const errors: string[] = [];
  if (status.leaderId === 0n) errors.push(etcdErrors.noLeader.message);
  for (const { memberId, alarm } of backend.operations.alarms) {
    errors.push(`memberID:${memberId} alarm:${alarmName(alarm)} `);
  }
  return {
    header: backend.stamp(null),
    version: API_VERSION,
    dbSize: status.storageBytes,
    leader: status.leaderId,
    raftIndex: BigInt(status.commitIndex),
    raftTerm: BigInt(status.term),
    raftAppliedIndex: BigInt(status.appliedIndex),
    errors,
    // An empty etcd has pages in use, too: whoever reads JSON, where a zero is left out, finds the field.
    dbSizeInUse: Math.min(Math.max(status.liveBytes, limits.pageBytes), status.storageBytes),
    isLearner: status.isLearner,
    storageVersion: API_VERSION,
    dbSizeQuota: status.quotaBytes,
    downgradeInfo: { enabled: downgradeTarget !== null, targetVersion: downgradeTarget ?? '' },
  };
}

async function alarm(
  backend: Backend,
  request: AlarmRequest,
  bytes: Uint8Array,
  origin: Origin,
): Promise<AlarmResponse> {
  // An alarm is kept by one byte of its type: another would stand for one that it is not.
  if (!Object.values(AlarmType).includes(request.alarm as never)) {
    throw new RpcError(Status.INVALID_ARGUMENT, `there is no alarm ${request.alarm}`);
  }
  if (request.action !== AlarmAction.GET) {
    const response = await backend.write('alarm', bytes, origin);
    return { ...response, header: backend.stamp(response.header) };
  }
  // What every member knows needs no entry of its own.
  await backend.readBarrier();
  return { header: backend.stamp(null), alarms: selectedAlarms(backend.operations.alarms, request.alarm) };
}
