import { messageOf, type Platform } from '@flotilla/platform';
import type { Group } from '@flotilla/raft';
import { addressOf } from '../configuration/listen-url.ts';
import { limits } from '../limits.ts';
import type { PeerCalls } from '../peer/peer-calls.ts';

export interface LeaderLeaseTimeParts {
  readonly platform: Platform;
  readonly group: Pick<Group<unknown>, 'status'>;
  readonly calls: Pick<PeerCalls, 'handle' | 'call'>;
  /** The peer URL of the leader; null: none is known, or it is this member. */
  readonly leaderUrl: () => string | null;
  /** What this member knows to be left; null: there is no such lease. */
  readonly remainingMs: (id: bigint) => number | null;
}

const path = '/leases/remaining';
const idBytes = 8;

/**
 * What is left of a lease, as its leader has it. A member that has started again since the lease was renewed knows only
 * how much that can be at most; whose word counts is the leader's.
 */
export class LeaderLeaseTime {
  readonly #parts: LeaderLeaseTimeParts;

  constructor(parts: LeaderLeaseTimeParts) {
    this.#parts = parts;
    parts.calls.handle(path, (body) => this.#answer(body));
  }

  /** Null: ask nobody but this member. */
  async of(id: bigint): Promise<number | null> {
    const { calls, leaderUrl, platform } = this.#parts;
    const url = leaderUrl();
    if (url === null) return null;
    const body = new Uint8Array(idBytes);
    new DataView(body.buffer).setBigInt64(0, id);
    try {
      const answer = await calls.call(addressOf(url), path, body, limits.leaseQuestionMs);
      if (answer.length === 0) return null;
      return new DataView(answer.buffer, answer.byteOffset).getFloat64(0);
    } catch (error) {
      platform.log.debug('the leader did not say what is left of a lease', { reason: messageOf(error) });
      return null;
    }
  }

  #answer(body: Uint8Array): Uint8Array {
    const id = new DataView(body.buffer, body.byteOffset).getBigInt64(0);
    const remainingMs = this.#parts.group.status().role === 'leader' ? this.#parts.remainingMs(id) : null;
    if (remainingMs === null) return new Uint8Array(0);
    const answer = new Uint8Array(8);
    new DataView(answer.buffer).setFloat64(0, remainingMs);
    return answer;
  }
}
