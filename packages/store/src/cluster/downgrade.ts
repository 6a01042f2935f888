import { DowngradeAction, DowngradeRequest, type DowngradeResponse, etcdErrors } from '@flotilla/wire';
import { bytesToText, textToBytes } from '../encoding/text.ts';
import { header } from '../mvcc/header.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import { Namespace } from '../system/namespaces.ts';
import type { SystemTable } from '../system/system-table.ts';

/** That the members of the cluster are to be replaced by those of an older version, as a client has announced it. */
export class Downgrade {
  readonly #table: SystemTable;
  readonly #keys: MultiVersionState;

  constructor(table: SystemTable, keys: MultiVersionState) {
    this.#table = table;
    this.#keys = keys;
  }

  /** `3.6.0`; null: none is under way. */
  get targetVersion(): string | null {
    const record = this.#table.get(Namespace.CLUSTER, place);
    return record === null ? null : bytesToText(record);
  }

  /** The version was checked: it is the one before the cluster's. The answer's version is the server's to say. */
  apply(request: Uint8Array): DowngradeResponse {
    const { action, version } = DowngradeRequest.decode(request);
    const { targetVersion } = this;
    switch (action) {
      case DowngradeAction.ENABLE:
        if (targetVersion !== null) throw etcdErrors.downgradeInProcess;
        this.#table.set(Namespace.CLUSTER, place, textToBytes(version));
        break;
      case DowngradeAction.CANCEL:
        if (targetVersion === null) throw etcdErrors.noInflightDowngrade;
        this.#table.set(Namespace.CLUSTER, place, null);
        break;
      default:
        // Only asks; the API answers that by itself.
        break;
    }
    return { header: header(this.#keys.revision), version: '' };
  }
}

const place = textToBytes('downgrade');
