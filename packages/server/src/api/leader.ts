import { etcdErrors, type ServerCall } from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';

/** A client that sends `hasleader: true` wants to hear at once that there is none, rather than to wait for one. */
export function requireLeaderIfAsked(backend: Backend, call: ServerCall): void {
  if (asksForLeader(call) && !backend.hasLeader) throw etcdErrors.noLeader;
}

export function asksForLeader(call: ServerCall): boolean {
  return call.metadata['hasleader'] === 'true';
}
