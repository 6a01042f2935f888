import type { GroupStatus, NodeId } from '@flotilla/raft';
import type { HttpEndpoint } from '../api/http.ts';
import { methodNotAllowed } from './exchange.ts';

export interface DebugVarsSource {
  readonly groupStatus: () => GroupStatus;
  readonly memberIdOf: (nodeId: NodeId) => bigint | null;
  /** What only the process knows: its command line, its memory. */
  process(): Readonly<Record<string, unknown>>;
}

/** `/debug/vars`: what Go programs publish there, as far as there is such a thing here. */
export function debugVarsEndpoint(source: DebugVarsSource): HttpEndpoint {
  return {
    handle({ method }, path) {
      if (path !== '/debug/vars') return null;
      if (method !== 'GET') return Promise.resolve(methodNotAllowed);
      const vars = { ...source.process(), 'raft.status': raftStatus(source) };
      const lines = Object.entries(vars).map(
        ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
      );
      return Promise.resolve({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: `{\n${lines.join(',\n')}\n}\n`,
      });
    },
  };
}

function raftStatus({ groupStatus, memberIdOf }: DebugVarsSource): Readonly<Record<string, unknown>> {
  const { id, term, commit, applied, leader, role } = groupStatus();
  const hex = (nodeId: NodeId): string => (memberIdOf(nodeId) ?? 0n).toString(16);
  return {
    id: hex(id),
    term,
    commit,
    lead: hex(leader),
    raftState: `State${role.charAt(0).toUpperCase()}${role.slice(1)}`,
    applied,
  };
}
