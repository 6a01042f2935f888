import { assert, unreachable } from '@flotilla/platform';
import { etcdErrors, RpcError } from '@flotilla/wire';
import type { Compare, RangeRequest, RequestOp, TxnRequest } from '@flotilla/wire';
import { isEmpty, keyRange } from '../mvcc/key-range.ts';
import { checkRange, missingHolds, type TxnState, weigh } from '../mvcc/txn.ts';

/**
 * What one participant says of one compare over its own keys. `empty`: its part of the range has no key, and the
 * compare holds (or not) when no other part has one.
 */
export type CompareVote = 'holds' | 'fails' | 'empty-holds' | 'empty-fails' | 'elsewhere';

/** What one participant says of an operation, of whatever branch. */
export interface OperationVote {
  readonly effective: boolean;
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
    success: fragment.success.map((operation) => voteOnOperation(state, operation)),
    failure: fragment.failure.map((operation) => voteOnOperation(state, operation)),
  };
}

function voteOnCompare(state: TxnState, compare: Compare): CompareVote {
  if (compare.key.length === 0) return 'elsewhere';
  const holds = weigh(state, compare);
  if (holds !== null) return holds ? 'holds' : 'fails';
  return missingHolds(compare) ? 'empty-holds' : 'empty-fails';
}

function voteOnOperation(state: TxnState, { request }: RequestOp): OperationVote {
  switch (request?.case) {
    case undefined:
      return noPart;
    case 'requestTxn':
      return { effective: false, error: null, nested: voteOn(state, request.value) };
    case 'requestRange':
      return { ...noPart, error: rangeError(state, request.value) };
    case 'requestPut':
      return { effective: true, error: refusalOf(() => state.checkPut(request.value)), nested: null };
    case 'requestDeleteRange': {
      const { from, to, single } = keyRange(request.value.key, request.value.rangeEnd);
      if (single) return { ...noPart, effective: state.layers.latest(from) !== null };
      if (isEmpty({ from, to, single })) return noPart;
      const cursor = state.layers.scanLatest({ from, to, reverse: false });
      const effective = cursor.key !== null;
      cursor.close();
      return { ...noPart, effective };
    }
    default:
      return unreachable(request);
  }
}

const noPart: OperationVote = { effective: false, error: null, nested: null };

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

/** What the votes of all participants come to. */
export interface Tally {
  /** As `executeChosen` takes them. */
  readonly choices: readonly boolean[];
  readonly effective: boolean;
  /** Of the first operation that is refused. */
  readonly error: VoteError | null;
}

export function tallyOf(votes: readonly VoteTree[]): Tally {
  const counting = new Counting();
  counting.tree(votes);
  const { choices, effective, error } = counting;
  return { choices, effective: effective && error === null, error };
}

class Counting {
  readonly choices: boolean[] = [];
  effective = false;
  error: VoteError | null = null;

  tree(votes: readonly VoteTree[]): void {
    const [shape] = votes;
    assert(shape !== undefined, 'a transaction has participants');
    const succeeded = shape.compares.every((_, place) =>
      holds(votes.map(({ compares }) => compares[place] as CompareVote)),
    );
    this.choices.push(succeeded);
    const operations = succeeded ? shape.success : shape.failure;
    for (let place = 0; place < operations.length; place += 1) {
      this.#operation(
        votes.map(({ success, failure }) => (succeeded ? success : failure)[place] as OperationVote),
      );
    }
  }

  #operation(votes: readonly OperationVote[]): void {
    const nested = votes.flatMap((vote) => (vote.nested === null ? [] : [vote.nested]));
    if (nested.length > 0) {
      this.tree(nested);
      return;
    }
    for (const { effective, error } of votes) {
      this.effective ||= effective;
      this.error ??= error;
    }
  }
}

function holds(votes: readonly CompareVote[]): boolean {
  if (votes.includes('fails')) return false;
  return votes.includes('holds') || votes.includes('empty-holds');
}
