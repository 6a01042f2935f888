/**
 * Revisions that are not known yet. A write that no cut has numbered has a place in its shard, its seq, and no
 * revision; until then numbers beyond every revision stand for it, so that whatever compares revisions finds it
 * younger than all that are assigned, and in the order of the seqs.
 */
const base = 2 ** 51;

/** The revision of the request itself: its own if it changes something, else the one that it is answered at. */
export const ownRevision: number = base;
/** The revision before the first change of the request itself. */
export const beforeOwn: number = base + 1;

/** Of the write with this seq, from 1. */
export function pendingRevision(seq: number): number {
  return base + 1 + seq;
}

export function isPending(revision: number): boolean {
  return revision >= base;
}

/** The seq that a pending revision stands for. */
export function seqOf(pending: number): number {
  return pending - base - 1;
}
