import { FlotillaError } from '@flotilla/platform';
import type { Address, ErrorCode } from '@flotilla/platform';
import type { Configuration, MembershipStep, NodeId } from '../core/types.ts';
import { formatAddress, parseAddress } from './address.ts';
import { isMemberId } from './options.ts';

/** Somebody who is to be a member, and where it listens (`host:port`). */
export interface NewMember {
  readonly id: number;
  readonly address: string;
}

/**
 * One wish about who is in the group. What is so already is no change, so that a wish may be repeated.
 *
 * @example
 * const wish: MemberChange = { replace: { id: 2, by: { id: 4, address: '10.0.0.4:7000' } } };
 */
export type MemberChange =
  /** A new voter. It is a learner until it has caught up. */
  | { readonly add: NewMember }
  /** A new learner: it has everything and does not vote. */
  | { readonly addLearner: NewMember }
  /** A learner becomes a voter, when it has caught up. */
  | { readonly promote: number }
  /** A voter becomes a learner. */
  | { readonly demote: number }
  /** A member leaves for ever: its id is never used again. */
  | { readonly remove: number }
  /** A new member takes the place of another one, in one step: the number of voters is the same all the while. */
  | { readonly replace: { readonly id: number; readonly by: NewMember } }
  /** A member listens elsewhere from now on. */
  | { readonly update: NewMember };

/** The next change that the group has to make, of those that lead to what was wished. */
export type MembershipPlan =
  /** Everything is as it was wished. */
  | { readonly kind: 'done' }
  /** A joint configuration has to be left first. */
  | { readonly kind: 'wait' }
  | {
      readonly kind: 'change';
      readonly steps: readonly MembershipStep[];
      /** Of those who come, or have moved. */
      readonly addresses: ReadonlyMap<NodeId, Address>;
      /** They vote now, and will not any more: the leader should not be one of them. */
      readonly departing: readonly NodeId[];
    };

/**
 * What to do next. Newcomers come first, as learners, all at once; then everything that changes who votes, at once too:
 * in a joint configuration when that is more than one voter, so that there is never a majority that does not overlap
 * with the one before it.
 *
 * Throws `FLOTILLA_MEMBERSHIP_INVALID` or `FLOTILLA_MEMBERSHIP_ID_REUSED` for what can never be.
 */
export function planMembership(
  configuration: Configuration,
  addressOf: (id: NodeId) => Address | null,
  changes: readonly MemberChange[],
): MembershipPlan {
  const wish = new Wish(configuration, addressOf);
  for (const change of changes) wish.take(change);
  if (configuration.votersOutgoing.length > 0) return { kind: 'wait' };
  const { joining, voting, addresses } = wish;
  if (joining.length > 0) return { kind: 'change', steps: joining, addresses, departing: [] };
  if (voting.length === 0) return { kind: 'done' };
  const departing = voting.filter(({ operation, id }) => operation !== 'add-voter' && wish.votes(id));
  const gone = departing.filter(({ operation }) => operation !== 'update').map(({ id }) => id);
  const stay = configuration.voters.filter((id) => !gone.includes(id)).length;
  const come = voting.filter(({ operation }) => operation === 'add-voter').length;
  if (stay + come === 0) throw invalid('FLOTILLA_MEMBERSHIP_INVALID', 'no voter would be left');
  return { kind: 'change', steps: voting, addresses, departing: gone };
}

class Wish {
  readonly joining: MembershipStep[] = [];
  readonly voting: MembershipStep[] = [];
  readonly addresses = new Map<NodeId, Address>();
  readonly #configuration: Configuration;
  readonly #addressOf: (id: NodeId) => Address | null;
  readonly #named = new Set<number>();

  constructor(configuration: Configuration, addressOf: (id: NodeId) => Address | null) {
    this.#configuration = configuration;
    this.#addressOf = addressOf;
  }

  votes(id: NodeId): boolean {
    return this.#configuration.voters.includes(id);
  }

  take(change: MemberChange): void {
    if ('add' in change) this.#add(change.add);
    else if ('addLearner' in change) this.#addLearner(change.addLearner);
    else if ('promote' in change) this.#promote(this.#name(change.promote));
    else if ('demote' in change) this.#demote(this.#name(change.demote));
    else if ('remove' in change) this.#remove(this.#name(change.remove));
    else if ('replace' in change) {
      this.#remove(this.#name(change.replace.id));
      this.#add(change.replace.by);
    } else if ('update' in change) this.#update(change.update);
    else {
      // From JavaScript, or from a request: a misspelt wish must not end as a TypeError.
      const text = JSON.stringify(change);
      throw invalid('FLOTILLA_MEMBERSHIP_INVALID', `${text} is no change: ${wishes.join(', ')} are known`);
    }
  }

  #add(member: NewMember): void {
    const id = this.#name(member.id);
    if (!this.#joins(id, member)) this.#promote(id);
  }

  #addLearner(member: NewMember): void {
    const id = this.#name(member.id);
    if (this.#joins(id, member)) return;
    if (this.votes(id)) {
      throw invalid('FLOTILLA_MEMBERSHIP_INVALID', `member ${id} votes: demote it to make it a learner`);
    }
  }

  /** Whether it is a newcomer: it is a learner first. */
  #joins(id: NodeId, member: NewMember): boolean {
    const address = parseAddress(member.address);
    if (this.#isMember(id)) {
      const known = this.#addressOf(id);
      if (known === null || formatAddress(known) === formatAddress(address)) return false;
      throw invalid(
        'FLOTILLA_MEMBERSHIP_INVALID',
        `member ${id} is at ${formatAddress(known)}: update it to say that it has moved`,
      );
    }
    if (this.#configuration.removed.includes(id)) {
      throw invalid('FLOTILLA_MEMBERSHIP_ID_REUSED', `${id} was a member once: take another id`);
    }
    this.joining.push({ operation: 'add-learner', id });
    this.addresses.set(id, address);
    return true;
  }

  #promote(id: NodeId): void {
    this.#requireMember(id);
    if (!this.votes(id)) this.voting.push({ operation: 'add-voter', id });
  }

  #demote(id: NodeId): void {
    this.#requireMember(id);
    if (this.votes(id)) this.voting.push({ operation: 'add-learner', id });
  }

  #remove(id: NodeId): void {
    if (this.#configuration.removed.includes(id) && !this.#isMember(id)) return;
    this.#requireMember(id);
    this.voting.push({ operation: 'remove', id });
  }

  #update(member: NewMember): void {
    const id = this.#name(member.id);
    this.#requireMember(id);
    const address = parseAddress(member.address);
    const known = this.#addressOf(id);
    if (known !== null && formatAddress(known) === formatAddress(address)) return;
    this.voting.push({ operation: 'update', id });
    this.addresses.set(id, address);
  }

  #isMember(id: NodeId): boolean {
    const { voters, votersOutgoing, learners, learnersNext } = this.#configuration;
    return [voters, votersOutgoing, learners, learnersNext].some((ids) => ids.includes(id));
  }

  #requireMember(id: NodeId): void {
    if (!this.#isMember(id)) throw invalid('FLOTILLA_MEMBERSHIP_INVALID', `${id} is no member`);
  }

  #name(id: number): NodeId {
    if (!isMemberId(id)) {
      throw invalid(
        'FLOTILLA_MEMBERSHIP_INVALID',
        `${id} is no id: ids are whole numbers from 1 to 2^32 - 1`,
      );
    }
    if (this.#named.has(id)) throw invalid('FLOTILLA_MEMBERSHIP_INVALID', `member ${id} is named twice`);
    this.#named.add(id);
    return id as NodeId;
  }
}

const wishes = ['add', 'addLearner', 'promote', 'demote', 'remove', 'replace', 'update'] as const;

function invalid(code: ErrorCode, message: string): FlotillaError {
  return new FlotillaError(code, message);
}
