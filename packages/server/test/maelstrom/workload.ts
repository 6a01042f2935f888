import type { Verdict } from '@flotilla/check';
import type { Random } from '@flotilla/platform';
import { isDefinite } from '../../src/maelstrom/failure.ts';
import type { MessageBody } from '../../src/maelstrom/message.ts';

/** A request of a client, and what is to be remembered of it. */
export interface Asked {
  readonly body: Omit<MessageBody, 'msg_id'>;
  /** As the report counts it: `read`, `cas`, … */
  readonly kind: string;
  /** It is asked now. What is returned is told of the answer, or that there will be none. */
  begin(): (reply: MessageBody | null) => Ended;
}

export type Ended = 'ok' | 'failed' | 'unknown';

/** What clients ask for, and the judge of what they were answered. */
export interface Workload {
  readonly name: string;
  next(client: number, random: Random): Asked;
  /** Reads of all that there was, for the end. */
  lastReads(client: number): readonly Asked[];
  judge(): Verdict;
}

/**
 * What an error means, or no answer at all. Of a request that only reads nothing can have come of it; else only codes
 * that Maelstrom calls definite say so.
 */
export function endOfError(reply: MessageBody | null, readsOnly: boolean): 'failed' | 'unknown' {
  if (readsOnly) return 'failed';
  return typeof reply?.['code'] === 'number' && isDefinite(reply['code']) ? 'failed' : 'unknown';
}

export function describeReply(reply: MessageBody | null): string {
  return reply === null ? 'no answer' : JSON.stringify(reply);
}
