import type { Platform } from '@flotilla/platform';
import { RpcError, type ServerStream, Status } from '@flotilla/wire';
import { limits } from '../limits.ts';

export type Outgoing = Pick<ServerStream<never, never>, 'drained' | 'bufferedBytes'>;

/**
 * Waits until a client has taken what it was sent, as long as it takes anything. For answers that hold something back
 * while they last, as a view of the storage or a place among the snapshots: one that is not read would hold it for
 * ever. Watches hold nothing, and wait for their clients as long as those like.
 *
 * Rejects as `drained` does, and with RESOURCE_EXHAUSTED.
 */
export async function taken(platform: Platform, client: Outgoing): Promise<void> {
  const drained = client.drained();
  for (let leftBytes = client.bufferedBytes; ; leftBytes = client.bufferedBytes) {
    if (await within(platform, drained, limits.unreadAnswerMs)) return;
    if (client.bufferedBytes >= leftBytes) break;
  }
  // It rejects when the call has ended, and by then nobody listens.
  drained.catch(() => undefined);
  throw new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `etcdserver: the client does not read: it took nothing of the answer for ${limits.unreadAnswerMs / 1_000} s`,
  );
}

/** Whether something is done before the time is up. */
async function within(platform: Platform, done: Promise<void>, timeMs: number): Promise<boolean> {
  let expire: () => void = () => undefined;
  const expired = new Promise<false>((resolve) => {
    expire = () => resolve(false);
  });
  const timer = platform.timer(timeMs, 'unread-answer', expire);
  try {
    return await Promise.race([done.then(() => true), expired]);
  } finally {
    timer.cancel();
  }
}
