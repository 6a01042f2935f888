import type { TxnResponse } from '@flotilla/wire';
import type { ApplyResult } from './apply-result.ts';
import type { Proposal, ProposalKind } from './proposal.ts';

/**
 * What a database has done since it was opened: plain numbers, so that counting costs additions. Those of an operation
 * are etcd's (`etcd_mvcc_*_total`): each operation of a transaction counts, and a transaction counts when it had more
 * than one.
 */
export class OperationCounts {
  ranges = 0;
  puts = 0;
  deletes = 0;
  transactions = 0;
  /** Of the requests that put something. */
  putBytes = 0;
  /** Batches of entries that took longer than etcd's bound to apply. */
  slowApplies = 0;
  /** Proposals that did what they asked for, by kind. */
  readonly executed: Partial<Record<ProposalKind, number>> = {};

  applied({ kind, request }: Proposal, result: ApplyResult): void {
    if (result.kind === 'error') return;
    if (result.kind === 'put') {
      this.puts += 1;
      this.putBytes += request.length;
    } else if (result.kind === 'delete-range') {
      this.deletes += 1;
    } else if (result.kind === 'txn') {
      const { puts } = this;
      this.ran(result.response);
      if (this.puts > puts) this.putBytes += request.length;
    } else {
      this.executed[kind] = (this.executed[kind] ?? 0) + 1;
    }
  }

  /** A transaction, whether it wrote or not. */
  ran({ responses }: TxnResponse): void {
    if (responses.length > 1) this.transactions += 1;
    for (const { response } of responses) {
      switch (response?.case) {
        case 'responseRange':
          this.ranges += 1;
          break;
        case 'responsePut':
          this.puts += 1;
          break;
        case 'responseDeleteRange':
          this.deletes += 1;
          break;
        case 'responseTxn':
          this.ran(response.value);
          break;
        case undefined:
          break;
      }
    }
  }
}
