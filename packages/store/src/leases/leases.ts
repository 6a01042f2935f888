import { etcdErrors } from '@flotilla/wire';
import type { LeaseGrantResponse, LeaseRevokeResponse } from '@flotilla/wire';
import type { LogPosition } from '../mvcc/meta.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { SystemTable } from '../system/system-table.ts';

/** Of each lease of a batch: the time it is good for from now on, in seconds; 0: there is no such lease. */
export interface RenewAnswer {
  readonly ttls: readonly number[];
}

/** Leases and the keys that go with them. */
export class Leases {
  protected readonly system: SystemTable;
  protected readonly keys: MultiVersionState;

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.system = system;
    this.keys = keys;
  }

  grant(_request: Uint8Array, _position: LogPosition): LeaseGrantResponse {
    throw etcdErrors.notCapable;
  }

  revoke(_request: Uint8Array): LeaseRevokeResponse {
    throw etcdErrors.notCapable;
  }

  renew(_request: Uint8Array, _position: LogPosition): RenewAnswer {
    throw etcdErrors.notCapable;
  }

  checkpoint(_request: Uint8Array): void {
    throw etcdErrors.notCapable;
  }

  expire(_request: Uint8Array): void {
    throw etcdErrors.notCapable;
  }
}
