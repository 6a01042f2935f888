import type { ReportMessage } from './node-messages.ts';
import type { OrderGroup } from './order-group.ts';
import { OrderLead, type OrderLeadParts } from './order-lead.ts';
import type { OwnShard } from './own-shard.ts';

export interface OrderOfficeParts extends Omit<OrderLeadParts, 'term'> {
  readonly group: OrderGroup;
  readonly own: OwnShard;
  /** It leads now. */
  readonly begun: () => void;
}

/** Whether this node leads the order, term by term: a lead begins when everything is applied that was there before it. */
export class OrderOffice {
  readonly #parts: OrderOfficeParts;
  #lead: OrderLead | null = null;
  #looksSoon = false;
  #stopped = false;

  constructor(parts: OrderOfficeParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
    this.#lead?.stop();
  }

  roleChanged(): void {
    const { status } = this.#parts.group;
    if (status === null || this.#stopped) return;
    if (this.#lead !== null && (status.role !== 'leader' || this.#lead.term !== status.term)) {
      this.#lead.stop();
      this.#lead = null;
    }
    this.#mayBegin();
  }

  /** An entry of the order's log is applied here. */
  applied(): void {
    this.#lead?.applied();
    // All nodes but one apply much and never lead: they look once a turn.
    if (this.#lead !== null || this.#looksSoon) return;
    this.#looksSoon = true;
    this.#parts.platform.defer(() => {
      this.#looksSoon = false;
      this.#mayBegin();
    });
  }

  /** False: this node does not lead the order. */
  take(report: ReportMessage): boolean {
    this.#mayBegin();
    if (this.#lead === null) return false;
    this.#lead.take(report);
    return true;
  }

  #mayBegin(): void {
    if (this.#lead !== null || this.#stopped) return;
    const { group, own, begun, ...parts } = this.#parts;
    const { status } = group;
    if (status?.role !== 'leader' || parts.order() === null || !own.isReady) return;
    this.#lead = new OrderLead({ ...parts, term: status.term });
    begun();
  }
}
