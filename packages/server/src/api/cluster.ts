import {
  Cluster,
  etcdErrors,
  type Member,
  type MemberAddResponse,
  type MemberListResponse,
  type Method,
  type ResponseHeader,
  unary,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { originOf } from './origin.ts';

/** `etcdserverpb.Cluster`: who is in the cluster, and how that changes. */
export function clusterMethods(backend: Backend): Method[] {
  const { access, reconfiguration } = backend;
  const changed = (): MemberListResponse => ({ header: headerOf(backend), members: membersOf(backend) });
  return [
    unary(Cluster.methods.MemberAdd, async (request, call, bytes): Promise<MemberAddResponse> => {
      const { isLearner } = request;
      const peerUrls = [...checkedUrls(request.peerUrls)].sort();
      access.requireRoot(call);
      const memberId = await reconfiguration.add(peerUrls, isLearner, originOf(backend, call, bytes));
      const members = membersOf(backend);
      // As it was added: whoever removes it in the same moment does not change what this call has done.
      const added = { id: memberId, name: '', peerUrls, clientUrls: [], isLearner };
      return { header: headerOf(backend), member: added, members };
    }),
    unary(Cluster.methods.MemberRemove, async ({ id }, call, bytes) => {
      access.requireRoot(call);
      await reconfiguration.remove(id, originOf(backend, call, bytes));
      return changed();
    }),
    unary(Cluster.methods.MemberUpdate, async ({ id, peerUrls }, call, bytes) => {
      access.requireRoot(call);
      await reconfiguration.update(id, checkedUrls(peerUrls), originOf(backend, call, bytes));
      return changed();
    }),
    unary(Cluster.methods.MemberList, async ({ linearizable }, call) => {
      if (linearizable) await backend.readBarrier();
      access.requireUser(call);
      return changed();
    }),
    unary(Cluster.methods.MemberPromote, async ({ id }, call, bytes) => {
      access.requireRoot(call);
      await reconfiguration.promote(id, originOf(backend, call, bytes));
      return changed();
    }),
  ];
}

/** As etcd's, without a revision: what it answers has none. */
function headerOf(backend: Backend): ResponseHeader {
  return { ...backend.stamp(null), revision: 0 };
}

function membersOf(backend: Backend): readonly Member[] {
  return backend.members().map(({ memberId, name, peerUrls, clientUrls, isLearner }) => ({
    id: memberId,
    name,
    peerUrls,
    clientUrls,
    isLearner,
  }));
}

/** etcd's `types.NewURLs`: at least one, of a scheme it knows, with a port and without a path. */
function checkedUrls(urls: readonly string[]): readonly string[] {
  const trimmed = urls.map((url) => url.trim());
  if (trimmed.length === 0 || !trimmed.every(isPeerUrl)) throw etcdErrors.memberBadUrls;
  return trimmed;
}

/** Members meet over TCP only: etcd takes sockets of the file system, too. */
function isPeerUrl(url: string): boolean {
  const [, host, port] = /^https?:\/\/(\[[0-9a-fA-F:.%]+\]|[^/?#@[\]:\s]*):([0-9]{1,5})$/.exec(url) ?? [];
  return host !== undefined && Number(port) <= 65_535;
}
