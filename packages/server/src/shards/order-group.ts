import { FlotillaError, isFlotillaError, type Platform } from '@flotilla/platform';
import { type Group, type GroupStatus, membersOf, type NodeId } from '@flotilla/raft';
import {
  type ApplyResult,
  encodeOrderEntry,
  encodeProposal,
  type Frontier,
  type OrderEntry,
  type OrderMachine,
} from '@flotilla/store';
import type { Patience } from './types.ts';

/** Group 0, as the shards of a node need it. It is opened after them. */
export class OrderGroup {
  readonly #platform: Platform;
  readonly #order: () => OrderMachine | null;
  #group: Group<ApplyResult> | null = null;
  #requestId = 0;
  #stopped = false;

  constructor(platform: Platform, order: () => OrderMachine | null) {
    this.#platform = platform;
    this.#order = order;
  }

  opened(group: Group<ApplyResult>): void {
    this.#group = group;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Null: it is not open yet. */
  get group(): Group<ApplyResult> | null {
    return this.#group;
  }

  get status(): GroupStatus | null {
    return this.#group?.status() ?? null;
  }

  get leader(): { readonly node: NodeId; readonly term: number } | null {
    const { status } = this;
    return status === null || status.leader === 0 ? null : { node: status.leader, term: status.term };
  }

  get voters(): readonly NodeId[] {
    return this.status?.configuration.voters ?? [];
  }

  get members(): readonly NodeId[] {
    const { status } = this;
    return status === null ? [] : membersOf(status.configuration);
  }

  async frontier({ timeoutMs }: Patience): Promise<Frontier> {
    await this.#running.readBarrier({ timeoutMs });
    const order = this.#order();
    if (order === null) throw new FlotillaError('FLOTILLA_NOT_SHARDED', 'the cluster is not sharded');
    return { index: order.index, revision: order.frontier };
  }

  async propose(entry: OrderEntry, { timeoutMs }: Patience): Promise<void> {
    this.#requestId += 1;
    const payload = encodeProposal({
      kind: 'order',
      requestId: this.#requestId,
      request: encodeOrderEntry(entry),
    });
    const untilMs = this.#platform.now() + timeoutMs;
    for (;;) {
      try {
        const leftMs = Math.max(1, untilMs - this.#platform.now());
        const result = await this.#running.propose(payload, { timeoutMs: leftMs });
        if (result.kind === 'error') throw result.error;
        return;
      } catch (error) {
        // A snapshot has jumped over it. What is logged twice is done once; but what was decided on a configuration
        // would be refused the second time.
        const isOver = 'configuration' in entry || this.#platform.now() >= untilMs;
        if (isOver || !isFlotillaError(error, 'FLOTILLA_PROPOSAL_UNKNOWN')) throw error;
      }
    }
  }

  get #running(): Group<ApplyResult> {
    if (this.#group === null || this.#stopped) {
      throw new FlotillaError('FLOTILLA_STOPPED', 'this member has stopped, or has not started');
    }
    return this.#group;
  }
}
