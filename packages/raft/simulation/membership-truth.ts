import { FlotillaError } from '@flotilla/platform';
import { applyChange, isJoint } from '../src/core/membership.ts';
import { membersOf } from '../src/core/quorum.ts';
import type { Configuration, Index, MembershipChange, NodeId } from '../src/core/types.ts';
import type { MembershipOutcome } from '../src/host/types.ts';

interface Era {
  readonly from: Index;
  readonly configuration: Configuration;
  /** Of the change that began it, as its caller numbered it; 0: the leader left a joint configuration. */
  readonly number: number;
}

/**
 * Which configuration is in force after each index, worked out from the changes as state machines saw them, by nothing
 * but {@link applyChange}: against it everything is held that hosts say of their configuration.
 */
export class MembershipTruth {
  readonly #eras: Era[];
  /** Numbers of changes whose callers were told that nothing was changed. */
  readonly #refused = new Set<number>();
  changes = 0;

  constructor(genesis: Configuration) {
    this.#eras = [{ from: 0 as Index, configuration: genesis, number: 0 }];
  }

  get latest(): Configuration {
    return this.#last.configuration;
  }

  get #last(): Era {
    return this.#eras[this.#eras.length - 1] as Era;
  }

  /** A state machine was given the change at `index`. */
  applied(index: Index, change: MembershipChange): void {
    const number = numberOf(change);
    const known = this.#eras.find(({ from }) => from === index);
    if (known !== undefined) {
      if (known.number === number) return;
      throw violation('H9', `the change at ${index} is number ${number} here and ${known.number} elsewhere`);
    }
    // An old one, seen again by a member that replays its log from a snapshot that had it.
    if (index < this.#last.from) {
      throw violation('H9', `a change at ${index} comes up after the one at ${this.#last.from}`);
    }
    if (number > 0 && this.#eras.some((era) => era.number === number)) {
      throw violation('H10', `change ${number} is in the log twice, the second time at ${index}`);
    }
    this.#begin(index, change, number);
  }

  #begin(index: Index, change: MembershipChange, number: number): void {
    const before = this.latest;
    const result = applyChange(before, change);
    if (!result.ok) throw violation('H9', `the change at ${index} does not apply: ${result.problem}`);
    const back = membersOf(result.configuration).find((id) => before.removed.includes(id));
    if (back !== undefined) throw violation('H11', `member ${back} was removed, and is back at ${index}`);
    this.#eras.push({ from: index, configuration: result.configuration, number });
    this.changes += 1;
    if (this.#refused.has(number)) throw appliedThoughRefused(number);
  }

  /** What a host says is in force after `applied`. */
  told(node: string, applied: Index, configuration: Configuration): void {
    const truth = this.#at(applied);
    if (same(truth, configuration)) return;
    throw violation(
      'H9',
      `${node} has ${describe(configuration)} at ${applied}, where ${describe(truth)} is in force`,
    );
  }

  acknowledged(number: number, { index, configuration }: MembershipOutcome): void {
    const era = this.#eras.find(({ from }) => from === index);
    if (era?.number !== number) {
      throw violation('H10', `change ${number} was acknowledged at ${index}, where it is not`);
    }
    const later = this.#eras.filter(({ from }) => from >= index);
    if (!later.some((one) => same(one.configuration, configuration))) {
      throw violation('H10', `change ${number} was acknowledged with a configuration that never was`);
    }
    if (isJoint(configuration) && configuration.autoLeave) {
      throw violation('H10', `change ${number} was acknowledged before its joint configuration was left`);
    }
  }

  refused(number: number): void {
    this.#refused.add(number);
    if (this.#eras.some((era) => era.number === number)) throw appliedThoughRefused(number);
  }

  #at(index: Index): Configuration {
    let found = this.#eras[0] as Era;
    for (const era of this.#eras) if (era.from <= index) found = era;
    return found.configuration;
  }
}

/** The context of change `number`. */
export function contextOf(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Hosts put their own word before the context, and must have taken it off again. */
function numberOf({ context }: MembershipChange): number {
  if (context.length === 0) return 0;
  if (context.length !== 4)
    throw violation('H10', `a context of ${context.length} bytes reached a state machine`);
  return new DataView(context.buffer, context.byteOffset).getUint32(0);
}

export function describe(configuration: Configuration): string {
  const { voters, votersOutgoing, learners } = configuration;
  const outgoing = votersOutgoing.length > 0 ? ` joint with (${votersOutgoing.join(' ')})` : '';
  return `(${voters.join(' ')})${outgoing} learners (${learners.join(' ')})`;
}

function same(a: Configuration, b: Configuration): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(configuration: Configuration): readonly (boolean | readonly NodeId[])[] {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave, removed } = configuration;
  return [voters, votersOutgoing, learners, learnersNext, autoLeave, removed];
}

function appliedThoughRefused(number: number): FlotillaError {
  return violation('H10', `change ${number} was refused as not made, and is in force`);
}

/** Named by the row of SPEC.md. */
export function violation(row: 'H9' | 'H10' | 'H11' | 'H12' | 'H13', message: string): FlotillaError {
  return new FlotillaError('FLOTILLA_ASSERTION', `${row}: ${message}`);
}
