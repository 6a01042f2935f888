import type { WatchStream } from '@flotilla/store';
import {
  bidi,
  type Method,
  type ServerStream,
  Watch,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { CallerWatchGate } from '../auth/watch-gate.ts';
import type { Backend } from '../member/backend.ts';
import { requireLeaderIfAsked, whileLed } from './leader.ts';

/** `etcdserverpb.Watch`: many watches on one stream. What they see is the hub's; here is only the way to the client. */
export function watchMethods(backend: Backend): Method[] {
  return [bidi(Watch.methods.Watch, (call) => serve(backend, call))];
}

type WatchCall = ServerStream<WatchRequest, WatchResponse>;

async function serve(backend: Backend, call: WatchCall): Promise<void> {
  requireLeaderIfAsked(backend, call);
  const stream: WatchStream = backend.watches.open({
    gate: new CallerWatchGate(backend.access, call),
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
  try {
    await whileLed(backend, call, serveRequests(call, stream));
  } finally {
    stream.close();
  }
}

/** As in etcd, a client that has no more requests goes on being told, until it hangs up. */
async function serveRequests(call: WatchCall, stream: WatchStream): Promise<never> {
  for (let request = await call.read(); request !== null; request = await call.read()) {
    stream.request(request);
    // Answers to requests are not bounded by the hub: a client that only asks must read, too.
    if (stream.blocked) await call.drained();
    if (stream.overwhelmed !== null) await stream.overwhelmed;
  }
  return await new Promise((_, reject) => call.onCancelled(reject));
}
