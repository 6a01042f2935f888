import { etcdErrors } from '@flotilla/wire';
import type { AuthenticateResponse } from '@flotilla/wire';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { Origin, Proposal } from '../proposal.ts';
import type { SystemTable } from '../system/system-table.ts';

/** The response message of the RPC whose request an `auth` proposal carried. */
export type AuthAnswer = object;

/** Users, roles, and whether they count. */
export class Auth {
  protected readonly system: SystemTable;
  protected readonly keys: MultiVersionState;

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.system = system;
    this.keys = keys;
  }

  get enabled(): boolean {
    return false;
  }

  /** Throws what etcd answers when the proposal's user may not do what it asks for, or was identified by an old state. */
  check(_proposal: Proposal): void {}

  apply(_request: Uint8Array): AuthAnswer {
    throw etcdErrors.notCapable;
  }

  authenticate(_request: Uint8Array, _origin: Origin): AuthenticateResponse {
    throw etcdErrors.notCapable;
  }
}
