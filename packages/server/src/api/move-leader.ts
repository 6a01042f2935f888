import { Maintenance, type Method, unary } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/** `Maintenance.MoveLeader`: answered when the other member is known here to lead. As in etcd, without a header. */
export function moveLeaderMethod(backend: Backend): Method {
  return unary(Maintenance.methods.MoveLeader, async ({ targetId }, call) => {
    backend.access.requireRoot(call);
    await backend.reconfiguration.moveLeader(targetId);
    return { header: null };
  });
}
