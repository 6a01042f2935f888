import { etcdErrors } from '@flotilla/wire';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { SystemTable } from '../system/system-table.ts';

/** The response message of the RPC whose request a `cluster` proposal carried. */
export type ClusterAnswer = object;

/** Who is in the cluster, beside what Raft knows of it: names, URLs, ids that were removed. */
export class Cluster {
  protected readonly system: SystemTable;
  protected readonly keys: MultiVersionState;

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.system = system;
    this.keys = keys;
  }

  apply(_request: Uint8Array): ClusterAnswer {
    throw etcdErrors.notCapable;
  }
}
