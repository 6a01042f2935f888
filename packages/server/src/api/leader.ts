import { etcdErrors, type ServerCall } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';

/** A client that sends `hasleader: true` wants to hear at once that there is none, rather than to wait for one. */
export function requireLeaderIfAsked(backend: Backend, call: ServerCall): void {
  if (asksForLeader(call) && !backend.hasLeader) throw etcdErrors.noLeader;
}

/**
 * Serves a stream, but cuts that of a client that wants a leader when there was none for three election time-outs: it
 * can then go on through another member, which may be on the better side of a partition.
 */
export async function whileLed(backend: Backend, call: ServerCall, serving: Promise<void>): Promise<void> {
  if (!asksForLeader(call)) return await serving;
  let stop: () => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    const patienceMs = limits.leaderLossElections * backend.settings.electionTimeoutMs;
    stop = backend.onLeaderLost(patienceMs, () => reject(etcdErrors.noLeader));
  });
  try {
    await Promise.race([serving, lost]);
  } finally {
    stop();
  }
}

function asksForLeader(call: ServerCall): boolean {
  return call.metadata['hasleader'] === 'true';
}
