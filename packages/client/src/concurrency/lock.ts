import { Holding } from './holding.ts';
import { Queue } from './queue.ts';
import type { QueueClient, QueueOptions } from './queue.ts';

/**
 * A lock that is held.
 *
 * @example
 * await using lock = await client.lock('locks/report');
 * lock.signal.addEventListener('abort', stop);
 * await client.if(lock.isHeld).do(op.put('report', text)).commit();
 */
export class Lock extends Holding {}

/** Waits for its turn. */
export async function acquire(client: QueueClient, name: string, options: QueueOptions): Promise<Lock> {
  const queue = new Queue(client, name);
  const place = await queue.enter('', options);
  return new Lock(queue, place, await queue.wait(place, options));
}

/** Null: somebody else has it. */
export async function tryAcquire(
  client: QueueClient,
  name: string,
  options: Omit<QueueOptions, 'timeoutMs'>,
): Promise<Lock | null> {
  const queue = new Queue(client, name);
  const place = await queue.enter('', options);
  try {
    const { isFirst, revision } = await queue.isFirst(place);
    if (isFirst) return new Lock(queue, place, revision);
  } catch (error) {
    await queue.leave(place).catch(() => {});
    throw error;
  }
  await queue.leave(place);
  return null;
}
