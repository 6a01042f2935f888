import { unreachable } from '@flotilla/platform';
import {
  AlarmAction,
  type AlarmMember,
  AlarmRequest,
  type AlarmResponse,
  AlarmType,
  etcdErrors,
  TxnRequest,
} from '@flotilla/wire';
import { header } from '../mvcc/header.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { Proposal } from '../proposal.ts';
import type { SystemTable } from '../system/system-table.ts';
import { AlarmRecords } from './alarm-records.ts';

/**
 * What members have found wrong, known to all of them through the log. While an alarm is up every member refuses the
 * same entries, whatever it finds itself:
 *
 * - NOSPACE: whatever adds keys or leases. Deletions and compaction are the way out and stay allowed.
 * - CORRUPT: whatever changes or reads keys and leases through the log.
 */
export class Alarms {
  readonly #records: AlarmRecords;
  readonly #keys: MultiVersionState;
  /** Asked with every entry. */
  #raised: readonly AlarmMember[];

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.#records = new AlarmRecords(system);
    this.#keys = keys;
    this.#raised = this.#records.all();
  }

  /** By kind, then by member. */
  get raised(): readonly AlarmMember[] {
    return this.#raised;
  }

  has(kind: AlarmType): boolean {
    return this.#raised.some(({ alarm }) => alarm === kind);
  }

  /** Throws what etcd answers to a request that the alarms do not allow. */
  check(proposal: Proposal): void {
    if (this.#raised.length === 0) return;
    if (this.has(AlarmType.CORRUPT) && touchesData(proposal)) throw etcdErrors.corrupt;
    if (this.has(AlarmType.NOSPACE) && addsData(proposal)) throw etcdErrors.noSpace;
  }

  /** The answer has what was raised, or lowered, or was asked for; an alarm that is up is raised again without effect. */
  apply(request: Uint8Array): AlarmResponse {
    const { action, alarm, memberId } = AlarmRequest.decode(request);
    const asked: AlarmMember = { alarm, memberId };
    const known = this.#raised.filter((each) => each.alarm === alarm && each.memberId === memberId);
    switch (action) {
      case AlarmAction.GET:
        return this.#answer(selected(this.#raised, alarm));
      case AlarmAction.ACTIVATE:
        if (alarm === AlarmType.NONE) return this.#answer([]);
        if (known.length === 0) this.#change(() => this.#records.put(asked));
        return this.#answer([asked]);
      case AlarmAction.DEACTIVATE:
        if (known.length > 0) this.#change(() => this.#records.remove(asked));
        return this.#answer(known);
      default:
        return this.#answer([]);
    }
  }

  #change(change: () => void): void {
    change();
    this.#raised = this.#records.all();
  }

  #answer(alarms: readonly AlarmMember[]): AlarmResponse {
    return { header: header(this.#keys.revision), alarms };
  }
}

/** Those of one kind, or all of them. */
export function selected(alarms: readonly AlarmMember[], kind: AlarmType): readonly AlarmMember[] {
  return kind === AlarmType.NONE ? alarms : alarms.filter(({ alarm }) => alarm === kind);
}

function touchesData({ kind }: Proposal): boolean {
  switch (kind) {
    case 'put':
    case 'delete-range':
    case 'txn':
    case 'compact':
    case 'lease-grant':
    case 'lease-revoke':
    case 'lease-expire':
      return true;
    case 'member':
    case 'lease-renew':
    case 'lease-checkpoint':
    case 'auth':
    case 'authenticate':
    case 'session-expire':
    case 'alarm':
    case 'cluster':
    case 'downgrade':
    case 'order':
      return false;
    default:
      return unreachable(kind);
  }
}

function addsData({ kind, request }: Proposal): boolean {
  if (kind === 'txn') return hasPut(TxnRequest.decode(request));
  return kind === 'put' || kind === 'lease-grant';
}

export function hasPut({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].some(
    ({ request }) =>
      request?.case === 'requestPut' || (request?.case === 'requestTxn' && hasPut(request.value)),
  );
}
