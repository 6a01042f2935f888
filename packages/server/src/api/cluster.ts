import { Cluster, EMPTY_LIST, type MemberListResponse, type Method, unary } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/** `etcdserverpb.Cluster` of a static cluster: it can be listed. */
export function clusterMethods(backend: Backend): Method[] {
  return [
    unary(Cluster.methods.MemberList, async (request): Promise<MemberListResponse> => {
      if (request.linearizable) await backend.readBarrier();
      const members = backend.members().map((member) => ({
        id: member.memberId,
        name: member.name,
        peerUrls: member.peerUrls,
        clientUrls: member.clientUrls,
        isLearner: member.isLearner,
      }));
      return { header: backend.stamp(null), members: members.length === 0 ? EMPTY_LIST : members };
    }),
  ];
}
