import { assert } from '@flotilla/platform';
import { payloadBytes } from './entry-cache.ts';
import { reduceUncommitted } from './proposing.ts';
import { applyMembership, leaveJointIfDue } from './reconfiguring.ts';
import { checkedEntries, forgetSettled } from './replication.ts';
import type { CoreState } from './state.ts';
import type { Entry, Index, Ref } from './types.ts';

const noEntries: readonly Entry[] = [];

/**
 * Hands committed entries to the state machine: in order, one batch at a time, and only what is durable here. A leader
 * can know that a quorum of others has an entry that its own disk has not: applying it then would let this member
 * answer from a state that its own log cannot rebuild.
 */
export class ApplyQueue {
  readonly #state: CoreState;
  /** The end of the batch that is out; 0: none is. */
  #outTo = 0;
  #outPayloadBytes = 0;
  /** The log is being read for the next batch. */
  #reading = 0;
  #read: readonly Entry[] | null = null;

  constructor(state: CoreState) {
    this.#state = state;
  }

  /** Whether {@link take} would do anything. */
  get ready(): boolean {
    return this.#outTo === 0 && this.#reading === 0 && this.#limit > this.#state.log.applied;
  }

  /** The next batch; none when it has to be read from the log first. */
  take(): readonly Entry[] {
    if (!this.ready) return noEntries;
    const { log, config, outbox } = this.#state;
    const from = (log.applied + 1) as Index;
    const to = (this.#limit + 1) as Index;
    const entries = this.#takeRead(from) ?? log.slice(from, to, config.maxApplyBytes);
    if (entries === null) {
      const ref = this.#state.nextLogRead();
      this.#reading = ref;
      outbox.readLog({ ref, from, to, maxBytes: config.maxApplyBytes });
      return noEntries;
    }
    this.#outTo = from + entries.length - 1;
    this.#outPayloadBytes = payloadBytes(entries);
    return entries;
  }

  /** False: the read was not for applying. */
  logRead(ref: Ref, result: readonly Entry[] | 'compacted'): boolean {
    if (ref !== this.#reading) return false;
    this.#reading = 0;
    const { applied } = this.#state.log;
    const first = result === 'compacted' ? undefined : result[0];
    // A snapshot overtook the read; what is needed now is asked for anew.
    if (first?.index !== applied + 1) {
      assert(result !== 'compacted' || this.#state.log.base <= applied, 'the log keeps what is not applied');
      return true;
    }
    this.#read = checkedEntries(this.#state, result as readonly Entry[]);
    return true;
  }

  applied(upTo: Index): void {
    const { log } = this.#state;
    assert(upTo <= log.commit, () => `I9: applied ${upTo}, committed ${log.commit}`);
    if (upTo >= this.#outTo && this.#outTo !== 0) {
      this.#outTo = 0;
      reduceUncommitted(this.#state, this.#outPayloadBytes);
    }
    if (upTo <= log.applied) return;
    applyMembership(this.#state, upTo);
    log.applied = upTo;
    leaveJointIfDue(this.#state);
    forgetSettled(this.#state);
  }

  /** A snapshot has moved the state machine: what was out is part of it. */
  overtaken(): void {
    if (this.#outTo !== 0 && this.#outTo <= this.#state.log.applied) this.#outTo = 0;
  }

  get #limit(): number {
    return Math.min(this.#state.log.commit, this.#state.log.durable);
  }

  #takeRead(from: Index): readonly Entry[] | null {
    const read = this.#read;
    this.#read = null;
    return read !== null && read[0]?.index === from ? read : null;
  }
}
