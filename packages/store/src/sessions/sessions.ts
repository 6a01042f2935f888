import type { ApplyResult } from '../apply-result.ts';
import type { Proposal, RequestSession } from '../proposal.ts';
import type { SystemTable } from '../system/system-table.ts';

/** The replies that clients may ask for again. */
export class Sessions {
  protected readonly system: SystemTable;

  constructor(system: SystemTable) {
    this.system = system;
  }

  /** The answer of the same request when it was first applied; null: it was not. */
  recall(_session: RequestSession, _proposal: Proposal): ApplyResult | null {
    return null;
  }

  remember(_session: RequestSession, _proposal: Proposal, _result: ApplyResult): void {}

  expire(_request: Uint8Array): void {}
}
