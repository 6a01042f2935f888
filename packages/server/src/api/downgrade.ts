import { noOrigin, type Origin } from '@flotilla/store';
import {
  DowngradeAction,
  DowngradeRequest,
  type DowngradeResponse,
  etcdErrors,
  RpcError,
  Status,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { API_VERSION } from '../member/version.ts';

/**
 * `Maintenance.Downgrade`, with etcd's rules: the only version that a cluster can go to is the minor one before its own.
 * Members are not changed by it: that a downgrade is under way is known to all, and shown by `Status`, until it is
 * cancelled.
 */
export async function downgrade(
  backend: Backend,
  request: DowngradeRequest,
  origin: Origin,
): Promise<DowngradeResponse> {
  const { action } = request;
  switch (action) {
    case DowngradeAction.VALIDATE:
      await validated(backend, request.version, noOrigin);
      break;
    case DowngradeAction.ENABLE: {
      const version = await validated(backend, request.version, origin);
      await backend.write('downgrade', DowngradeRequest.encode({ action, version }), origin);
      break;
    }
    case DowngradeAction.CANCEL:
      await backend.readBarrier();
      if (backend.operations.downgradeTarget === null && !(await backend.isSettled(origin))) {
        throw etcdErrors.noInflightDowngrade;
      }
      await backend.write('downgrade', DowngradeRequest.encode({ action, version: '' }), origin);
      break;
    default:
      throw new RpcError(Status.UNKNOWN, 'etcdserver: unknown method');
  }
  return { header: backend.stamp(null), version: `${own.major}.${own.minor}` };
}

/** Answers the version in full. A further try of what was executed finds it done, and has an answer. */
async function validated(backend: Backend, text: string, origin: Origin): Promise<string> {
  const target = parseVersion(text) ?? parseVersion(`${text}.0`);
  if (target === null) throw etcdErrors.wrongDowngradeVersionFormat;
  await backend.readBarrier();
  if (target.major !== own.major || target.minor !== own.minor - 1) {
    throw etcdErrors.invalidDowngradeTargetVersion;
  }
  if (backend.operations.downgradeTarget !== null && !(await backend.isSettled(origin))) {
    throw etcdErrors.downgradeInProcess;
  }
  return `${target.major}.${target.minor}.0`;
}

interface Version {
  readonly major: number;
  readonly minor: number;
}

/** A semantic version, of which the patch does not count. */
function parseVersion(text: string): Version | null {
  const parts = /^([0-9]+)\.([0-9]+)\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/.exec(text);
  return parts === null ? null : { major: Number(parts[1]), minor: Number(parts[2]) };
}

const own = parseVersion(API_VERSION) as Version;
