import { assert, unreachable } from '@flotilla/platform';
import { etcdErrors, RpcError } from '@flotilla/wire';
import type { Compare, RangeRequest, RequestOp, TxnRequest } from '@flotilla/wire';
import { checkRange, missingHolds, type TxnState, weigh } from '../mvcc/txn.ts';
import { BranchChanges } from './branch-changes.ts';
import { spanOf } from './key-span.ts';

/**
 * What one participant says of one compare over its own keys. `empty`: its part of the range has no key, and the
 * compare holds (or not) when no other part has one.
 */
export type CompareVote = 'holds' | 'fails' | 'empty-holds' | 'empty-fails' | 'elsewhere';

/** What one participant says of an operation, of whatever branch. */
export interface OperationVote {
  /** How many keys it would change here. */
  readonly changes: number;
  readonly error: VoteError | null;
  /** Of a transaction. */
  readonly nested: VoteTree | null;
}

/** The shape of the whole request, so that the votes of all participants lie over each other. */
export interface VoteTree {
  readonly compares: readonly CompareVote[];
  readonly success: readonly OperationVote[];
  readonly failure: readonly OperationVote[];
}

/** Which error of etcd's. `revision`: of a range in the future, which only the order can judge. */
export interface VoteError {
  readonly name: VoteErrorName;
  readonly revision: number;
}

const voteErrors = {
  keyNotFound: etcdErrors.keyNotFound,
  leaseNotFound: etcdErrors.leaseNotFound,
  compacted: etcdErrors.compacted,
  futureRevision: etcdErrors.futureRevision,
  permissionDenied: etcdErrors.permissionDenied,
  userEmpty: etcdErrors.userEmpty,
  noSpace: etcdErrors.noSpace,
  corrupt: etcdErrors.corrupt,
} as const;

export type VoteErrorName = keyof typeof voteErrors;

/** Logs have their places: new ones come last. */
export const voteErrorNames = Object.keys(voteErrors) as readonly VoteErrorName[];

export function errorOf({ name }: VoteError): RpcError {
  return voteErrors[name];
}

export function voteErrorOf(error: RpcError, revision = 0): VoteError {
  const name = voteErrorNames.find((one) => voteErrors[one] === error);
  assert(name !== undefined, () => `a shard never refuses with "${error.message}"`);
  return { name, revision: name === 'futureRevision' ? revision : 0 };
}

/** Evaluates a fragment without changing anything: what the shard would do along every branch. */
export function voteOn(state: TxnState, fragment: TxnRequest): VoteTree {
  return {
    compares: fragment.compare.map((compare) => voteOnCompare(state, compare)),
    success: voteOnBranch(state, fragment.success),
    failure: voteOnBranch(state, fragment.failure),
  };
}

function voteOnCompare(state: TxnState, compare: Compare): CompareVote {
  if (compare.key.length === 0) return 'elsewhere';
  const holds = weigh(state, compare);
  if (holds !== null) return holds ? 'holds' : 'fails';
  return missingHolds(compare) ? 'empty-holds' : 'empty-fails';
}

function voteOnBranch(state: TxnState, operations: readonly RequestOp[]): OperationVote[] {
  const changes = new BranchChanges(state.layers);
  return operations.map((operation) => voteOnOperation(state, operation, changes));
}

function voteOnOperation(state: TxnState, { request }: RequestOp, changes: BranchChanges): OperationVote {
  switch (request?.case) {
    case undefined:
      return noPart;
    case 'requestTxn':
      return { ...noPart, nested: voteOn(state, request.value) };
    case 'requestRange':
      return { ...noPart, error: rangeError(state, request.value) };
    case 'requestPut':
      return {
        ...noPart,
        changes: changes.put(request.value.key),
        error: refusalOf(() => state.checkPut(request.value)),
      };
    case 'requestDeleteRange': {
      const { key, rangeEnd } = request.value;
      const span = spanOf(key, rangeEnd);
      return span === null ? noPart : { ...noPart, changes: changes.delete(span, rangeEnd.length === 0) };
    }
    default:
      return unreachable(request);
  }
}

const noPart: OperationVote = { changes: 0, error: null, nested: null };

function rangeError(state: TxnState, request: RangeRequest): VoteError | null {
  return refusalOf(() => checkRange(state, request), request.revision);
}

function refusalOf(check: () => void, revision = 0): VoteError | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return voteErrorOf(error, revision);
  }
}

/** So many changes in a row that one participant makes with one operation. */
export interface ChangeRun {
  /** In the order in which operations are executed, those that only read among them. */
  readonly operation: number;
  /** Its place among the participants. */
  readonly participant: number;
  readonly count: number;
}

/** What the votes of all participants come to. */
export interface Tally {
  /** As `executeChosen` takes them. */
  readonly choices: readonly boolean[];
  /** In the order that one etcd would make them in; none: it changes nothing. */
  readonly changes: readonly ChangeRun[];
  /** Of the first operation that is refused. */
  readonly error: VoteError | null;
}

export function tallyOf(votes: readonly VoteTree[]): Tally {
  const counting = new Counting();
  counting.tree([...votes.entries()]);
  const { choices, changes, error } = counting;
  return { choices, changes: error === null ? changes : [], error };
}

class Counting {
  readonly choices: boolean[] = [];
  readonly changes: ChangeRun[] = [];
  error: VoteError | null = null;
  #operations = 0;

  /** With the place of each participant. */
  tree(votes: readonly Placed<VoteTree>[]): void {
    const [first] = votes;
    assert(first !== undefined, 'a transaction has participants');
    const [, shape] = first;
    const succeeded = shape.compares.every((_, place) =>
      holds(votes.map(([, { compares }]) => compares[place] as CompareVote)),
    );
    this.choices.push(succeeded);
    const operations = succeeded ? shape.success : shape.failure;
    for (let place = 0; place < operations.length; place += 1) {
      this.#operation(
        votes.map(([participant, { success, failure }]) => [
          participant,
          (succeeded ? success : failure)[place] as OperationVote,
        ]),
      );
    }
  }

  #operation(votes: readonly Placed<OperationVote>[]): void {
    const operation = this.#operations;
    this.#operations += 1;
    const nested = votes.flatMap(([participant, vote]): Placed<VoteTree>[] =>
      vote.nested === null ? [] : [[participant, vote.nested]],
    );
    if (nested.length > 0) {
      this.tree(nested);
      return;
    }
    for (const [participant, { changes, error }] of votes) {
      if (changes > 0) this.changes.push({ operation, participant, count: changes });
      this.error ??= error;
    }
  }
}

type Placed<Vote> = readonly [participant: number, vote: Vote];

/** By operation: the place of the first change that a participant makes with it, among all changes of the transaction. */
export function firstPlaces(changes: readonly ChangeRun[], participant: number): Map<number, number> {
  const places = new Map<number, number>();
  let place = 0;
  for (const run of changes) {
    if (run.participant === participant) places.set(run.operation, place);
    place += run.count;
  }
  return places;
}

function holds(votes: readonly CompareVote[]): boolean {
  if (votes.includes('fails')) return false;
  return votes.includes('holds') || votes.includes('empty-holds');
}
