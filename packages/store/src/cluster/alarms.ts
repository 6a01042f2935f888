import { etcdErrors } from '@flotilla/wire';
import type { AlarmResponse } from '@flotilla/wire';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { SystemTable } from '../system/system-table.ts';

/** What members have found wrong, known to all of them. */
export class Alarms {
  protected readonly system: SystemTable;
  protected readonly keys: MultiVersionState;

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.system = system;
    this.keys = keys;
  }

  apply(_request: Uint8Array): AlarmResponse {
    throw etcdErrors.notCapable;
  }
}
