import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import type { Group } from '../host/types.ts';
import { sleep } from './calls.ts';
import { replicaLimits } from './limits.ts';
import type { MemberTable } from './member-table.ts';
import { encodePublication } from './proposal.ts';
import type { Applied } from './state-adapter.ts';

export interface PublisherOptions {
  readonly platform: Platform;
  readonly group: Group<Applied<unknown>>;
  readonly members: MemberTable;
  readonly id: NodeId;
  readonly address: Address;
  readonly instance: bigint;
  /** The group knows this member with other data. */
  readonly disowned: (error: FlotillaError) => void;
}

/**
 * Has the group know where this member is and which data it has, once in the life of the data. From then on nobody
 * else can be this member, not even itself with an empty directory: it would vote twice.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #trying = false;
  #stopped = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** To be called when there is a leader, or when what the group knows has changed. */
  wake(): void {
    const { platform, group } = this.#options;
    if (this.#trying || this.#stopped || this.#done || group.status().leader === 0) return;
    this.#trying = true;
    platform.spawn('publication', async () => {
      try {
        await this.#try();
      } catch (error) {
        if (!isFlotillaError(error)) throw error;
        if (!this.#stopped) await sleep(platform, replicaLimits.retryMs, 'publication-retry');
      }
      this.#trying = false;
      this.wake();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  get #done(): boolean {
    const { members, id, instance, disowned } = this.#options;
    const known = members.get(id)?.instance ?? null;
    if (known === null || known === instance) return known === instance;
    this.#stopped = true;
    disowned(
      new FlotillaError(
        'FLOTILLA_PEER_OTHER_INSTANCE',
        `the group knows member ${id} with other data: two processes are this member, or it has lost its data`,
      ),
    );
    return true;
  }

  async #try(): Promise<void> {
    const { group, id, address, instance } = this.#options;
    const payload = encodePublication(id, address, instance);
    await group.propose(payload, { timeoutMs: replicaLimits.publicationTimeoutMs });
  }
}
