import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Address, ErrorCode, Platform } from '@flotilla/platform';
import type { Configuration, NodeId } from '../core/types.ts';
import type { Group } from '../host/types.ts';
import { sleep, throwIfAborted } from './calls.ts';
import { replicaLimits } from './limits.ts';
import { planMembership } from './membership-plan.ts';
import type { MemberChange, MembershipPlan } from './membership-plan.ts';
import { encodeAddresses } from './member-table.ts';

export interface MembershipChangerOptions {
  readonly platform: Platform;
  /** This member. */
  readonly id: NodeId;
  readonly group: Group<unknown>;
  /** As applied here. */
  readonly configuration: () => Configuration;
  readonly addressOf: (id: NodeId) => Address | null;
}

/**
 * Leads the group to the members that were wished, one change after the other. Each round looks at what the group is
 * now, makes the next change, and looks again: so it does not matter who else changes things, which member it runs at,
 * or whether the answer to a change was lost.
 */
export class MembershipChanger {
  readonly #options: MembershipChangerOptions;

  constructor(options: MembershipChangerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when everything is as it was wished. Rejects with what stood in the way when the time is over: then part of
   * it may be done, and the same wish may be repeated.
   */
  async change(
    changes: readonly MemberChange[],
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { platform, group, configuration, addressOf, id } = this.#options;
    const deadline = platform.now() + timeoutMs;
    let last: FlotillaError = timedOut(timeoutMs);
    for (;;) {
      throwIfAborted(signal);
      const leftMs = deadline - platform.now();
      if (leftMs <= 0) throw last;
      try {
        // What is decided here must have been so when the call was made, and not before.
        await group.readBarrier({ timeoutMs: leftMs });
        const plan = planMembership(configuration(), addressOf, changes);
        if (plan.kind === 'done') return;
        if (plan.kind === 'change') await this.#make(plan, deadline);
        else await sleep(platform, replicaLimits.retryMs, 'membership-wait');
      } catch (error) {
        if (!isFlotillaError(error)) throw error;
        // What removed this member has made the whole of that change.
        if (error.code === 'FLOTILLA_PEER_REMOVED' && changes.some((each) => removes(each, id))) return;
        if (!passing.has(error.code)) throw error;
        last = error;
        await sleep(platform, replicaLimits.retryMs, 'membership-retry');
      }
    }
  }

  async #make(plan: Extract<MembershipPlan, { kind: 'change' }>, deadlineMs: number): Promise<void> {
    const { platform, group } = this.#options;
    const { steps, addresses, departing } = plan;
    if (departing.includes(group.status().leader)) await this.#leaveOffice(departing, deadlineMs);
    const context = addresses.size === 0 ? new Uint8Array(0) : encodeAddresses(addresses);
    const timeoutMs = Math.max(1, deadlineMs - platform.now());
    await group.changeMembership({ steps, transition: 'auto', context }, { timeoutMs });
  }

  /**
   * A leader that is removed has to step down, and the others wait for an election: handing over first costs one round
   * trip. When nobody can take over, as in a group of one, the change goes on without.
   */
  async #leaveOffice(departing: readonly NodeId[], deadlineMs: number): Promise<void> {
    const { platform, group, configuration } = this.#options;
    for (const id of configuration().voters) {
      if (departing.includes(id)) continue;
      const timeoutMs = Math.min(replicaLimits.transferTimeoutMs, deadlineMs - platform.now());
      if (timeoutMs <= 0) return;
      try {
        await group.transferLeadership(id, { timeoutMs });
        return;
      } catch (error) {
        if (!isFlotillaError(error) || error.code === 'FLOTILLA_STOPPED') throw error;
      }
    }
  }
}

function removes(change: MemberChange, id: NodeId): boolean {
  if ('replace' in change) return change.replace.id === id;
  return 'remove' in change && change.remove === id;
}

/** What a moment later may be otherwise. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FLOTILLA_MEMBERSHIP_PENDING',
  'FLOTILLA_TERM_NOT_COMMITTED',
  'FLOTILLA_LEARNER_BEHIND',
  'FLOTILLA_TRANSFERRING',
  'FLOTILLA_NO_LEADER',
  'FLOTILLA_NOT_LEADER',
  'FLOTILLA_READ_TIMEOUT',
  'FLOTILLA_PROPOSAL_TIMEOUT',
  'FLOTILLA_PROPOSAL_UNKNOWN',
  'FLOTILLA_TOO_MANY_PROPOSALS',
  'FLOTILLA_TOO_MANY_READS',
]);

function timedOut(timeoutMs: number): FlotillaError {
  return new FlotillaError(
    'FLOTILLA_PROPOSAL_TIMEOUT',
    `the members are not as wished after ${timeoutMs} ms`,
  );
}
