import { FlotillaError } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import type { Coverage } from '@flotilla/sim';
import type { ListMachine, ListResult } from './host-machine.ts';
import { nextHash } from './host-machine.ts';

/**
 * Everything that clients did and replicas applied, judged as it happens. A list is a totally ordered object (every
 * append has a place in it, every read sees a prefix), so a history is linearizable exactly when the places agree with
 * real time: whatever completed before an operation began is in the prefix that it saw.
 */
export class HostHistory {
  /** The list after each log index, as the first replica that applied it had it. */
  readonly #states = new Map<
    number,
    { readonly count: number; readonly hash: number; readonly term: number }
  >();
  /** Values by place, from the longest state that was seen. */
  readonly #values: number[] = [];
  readonly #places = new Map<number, number>();
  readonly #acknowledged = new Map<number, ListResult>();
  readonly #neverProposed = new Set<number>();
  /** The largest place that any completed operation has seen. */
  #completedCount = 0;
  appends = 0;
  reads = 0;
  unknown = 0;
  refused = 0;

  /** What must be seen by an operation that begins now. */
  get completedCount(): number {
    return this.#completedCount;
  }

  get count(): number {
    return this.#values.length;
  }

  /** A replica has applied an entry or installed a snapshot. */
  applied(node: string, machine: Pick<ListMachine, 'applied' | 'values' | 'hash'>): void {
    const { index, term } = machine.applied;
    const count = machine.values.length;
    const known = this.#states.get(index);
    if (known === undefined) this.#states.set(index, { count, hash: machine.hash, term });
    else if (known.count !== count || known.hash !== machine.hash || known.term !== term) {
      throw violation(
        'FLOTILLA_REPLICAS_DIFFER',
        `${node} has ${count} values, hash ${machine.hash} at ${term}/${index}, another ${known.count}, ${known.hash} at ${known.term}/${index}`,
      );
    }
    while (this.#values.length < count) this.#place(machine.values[this.#values.length] as number);
  }

  appendAcknowledged(value: number, result: ListResult, completedBefore: number): void {
    this.appends += 1;
    this.#acknowledged.set(value, result);
    if (result.count <= completedBefore) {
      throw violation(
        'FLOTILLA_NOT_LINEARIZABLE',
        `append of ${value} took place ${result.count}, after ${completedBefore} was complete`,
      );
    }
    this.#checkAcknowledged(value, result);
    this.#completedCount = Math.max(this.#completedCount, result.count);
  }

  /** The caller was told that nothing was proposed. */
  appendRefused(value: number): void {
    this.refused += 1;
    this.#neverProposed.add(value);
    if (this.#places.has(value)) throw appliedThoughRefused(value);
  }

  appendUnknown(): void {
    this.unknown += 1;
  }

  /** What the errors of `propose` promise. Any other error is none that a client may get. */
  appendFailed(value: number, error: FlotillaError): void {
    switch (error.code) {
      case 'FLOTILLA_NO_LEADER':
      case 'FLOTILLA_TOO_MANY_PROPOSALS':
      case 'FLOTILLA_TRANSFERRING':
        this.appendRefused(value);
        return;
      case 'FLOTILLA_PROPOSAL_TIMEOUT':
      case 'FLOTILLA_PROPOSAL_UNKNOWN':
      case 'FLOTILLA_STOPPED':
        this.appendUnknown();
        return;
      default:
        throw error;
    }
  }

  readCompleted(count: number, hash: number, completedBefore: number): void {
    this.reads += 1;
    if (count < completedBefore) {
      throw violation(
        'FLOTILLA_STALE_READ',
        `a read saw ${count} values after ${completedBefore} had been complete`,
      );
    }
    if (this.#values.slice(0, count).reduce(nextHash, 0) !== hash) {
      throw violation('FLOTILLA_REPLICAS_DIFFER', `a read of ${count} values saw a list that never was`);
    }
    this.#completedCount = Math.max(this.#completedCount, count);
  }

  /** A replica has begun anew with a snapshot: with everything that was committed up to some time. */
  restored(count: number, hash: number): void {
    if (this.#values.slice(0, count).reduce(nextHash, 0) === hash && count <= this.#values.length) return;
    throw violation('FLOTILLA_REPLICAS_DIFFER', `a snapshot has ${count} values, a list that never was`);
  }

  /** What clients were told. */
  countInto(coverage: Coverage): void {
    coverage.count('appends acknowledged', this.appends);
    coverage.count('appends of unknown outcome', this.unknown);
    coverage.count('appends refused', this.refused);
    coverage.count('reads', this.reads);
  }

  /** At the end, against a replica that has everything. */
  finish(machine: Pick<ListMachine, 'values'>): void {
    for (const [value, result] of this.#acknowledged) {
      if (machine.values[result.count - 1] !== value) {
        throw violation('FLOTILLA_LOST_WRITE', `acknowledged ${value} is not at place ${result.count}`);
      }
      this.#checkAcknowledged(value, result);
    }
    if (new Set(machine.values).size !== machine.values.length) {
      throw violation('FLOTILLA_APPLIED_TWICE', 'a value is in the list twice');
    }
  }

  #place(value: number): void {
    const place = this.#places.get(value);
    if (place !== undefined) {
      throw violation(
        'FLOTILLA_APPLIED_TWICE',
        `${value} is applied at place ${place} and ${this.#values.length + 1}`,
      );
    }
    this.#values.push(value);
    this.#places.set(value, this.#values.length);
    if (this.#neverProposed.has(value)) throw appliedThoughRefused(value);
  }

  #checkAcknowledged(value: number, result: ListResult): void {
    const hash = this.#values.slice(0, result.count).reduce(nextHash, 0);
    if (this.#places.get(value) !== result.count || hash !== result.hash) {
      throw violation(
        'FLOTILLA_WRONG_RESULT',
        `append of ${value} was answered with place ${result.count}, it is at ${this.#places.get(value) ?? 'none'}`,
      );
    }
  }
}

function appliedThoughRefused(value: number): FlotillaError {
  return violation(
    'FLOTILLA_APPLIED_THOUGH_REFUSED',
    `${value} was refused as never proposed, and is applied`,
  );
}

function violation(code: ErrorCode, message: string): FlotillaError {
  return new FlotillaError(code, message);
}
