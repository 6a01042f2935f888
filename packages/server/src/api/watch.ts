import type { WatchStream } from '@flotilla/store';
import {
  bidi,
  etcdErrors,
  type Method,
  type ServerStream,
  Watch,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { asksForLeader, requireLeaderIfAsked } from './leader.ts';

/** `etcdserverpb.Watch`: many watches on one stream. What they see is the hub's; here is only the way to the client. */
export function watchMethods(backend: Backend): Method[] {
  return [bidi(Watch.methods.Watch, (call) => serve(backend, call))];
}

type WatchCall = ServerStream<WatchRequest, WatchResponse>;

async function serve(backend: Backend, call: WatchCall): Promise<void> {
  requireLeaderIfAsked(backend, call);
  const stream: WatchStream = backend.watches.open({
    send: (response) => {
      if (call.write({ ...response, header: backend.stamp(response.header) })) return true;
      // Rejects when the call is over, and then nobody waits for more.
      call.drained().then(
        () => stream.drained(),
        () => undefined,
      );
      return false;
    },
  });
  const guard = asksForLeader(call) ? leaderGuard(backend) : null;
  try {
    await (guard === null
      ? readRequests(call, stream)
      : Promise.race([readRequests(call, stream), guard.lost]));
  } finally {
    guard?.stop();
    stream.close();
  }
}

async function readRequests(call: WatchCall, stream: WatchStream): Promise<void> {
  for (let request = await call.read(); request !== null; request = await call.read()) {
    stream.request(request);
    // Answers to requests are not bounded by the hub: a client that only asks must read, too.
    if (stream.blocked) await call.drained();
  }
}

/**
 * Cuts the stream of a client that wants a leader when there was none for three election time-outs: it can then watch
 * through another member, which may be on the better side of a partition.
 */
function leaderGuard(backend: Backend): { readonly lost: Promise<never>; stop(): void } {
  let stop: () => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    const patienceMs = limits.leaderLossElections * backend.settings.electionTimeoutMs;
    stop = backend.onLeaderLost(patienceMs, () => reject(etcdErrors.noLeader));
  });
  return { lost, stop: () => stop() };
}
