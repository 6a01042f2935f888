import type { NodeId, Term } from '../core/types.ts';
import type { AnyGroup } from './group-context.ts';
import type { Leases } from './lease.ts';
import type { Leadership, LeaseBeat } from './messages.ts';
import type { PeerLink } from './peer-link.ts';
import type { GroupId } from './types.ts';

/** What members tell each other with their heartbeats: which groups they lead, in which term. */
export class LeadershipNews {
  readonly #groups: ReadonlyMap<GroupId, AnyGroup>;
  readonly #links: ReadonlyMap<NodeId, PeerLink>;
  readonly #leases: Leases | null;
  #leads: readonly Leadership[] = [];
  /** Numbers the lists. */
  #version = 0;
  #due = false;

  /** `leases` null: this member has none and promises none. */
  constructor(
    groups: ReadonlyMap<GroupId, AnyGroup>,
    links: ReadonlyMap<NodeId, PeerLink>,
    leases: Leases | null,
  ) {
    this.#groups = groups;
    this.#links = links;
    this.#leases = leases;
  }

  /** Whether this member leads some group, or the term in which it does, has changed. */
  changed(): void {
    this.#due = true;
  }

  sendHeartbeat(link: PeerLink): void {
    if (link.connection === null) return;
    const leads = link.leadsTold === this.#leads ? null : this.#leads;
    const lease = this.#leases?.next(link.id, link.leads, this.#version) ?? null;
    link.sendHost({ type: 'heartbeat', leads, lease });
    link.leadsTold = this.#leads;
  }

  /** A new leader says so at once: its followers stop waiting for one. */
  announce(): void {
    if (!this.#due) return;
    this.#due = false;
    const leads: Leadership[] = [];
    this.#version += 1;
    for (const group of this.#groups.values()) {
      const term = group.leadsTerm;
      if (term === null) continue;
      leads.push({ group: group.id, term });
      group.claimed(term, this.#version);
    }
    this.#leads = leads;
    for (const link of this.#links.values()) this.sendHeartbeat(link);
  }

  /** A peer's heartbeat. `told` is null when nothing has changed since its last one. */
  heard(link: PeerLink, told: readonly Leadership[] | null, lease: LeaseBeat | null): void {
    this.#hearLeads(link, told);
    if (this.#leases === null || lease === null) return;
    this.#leases.heard(link.id, lease);
    // A new leader waits for this promise: not until the next heartbeat.
    if (told !== null && told.length > 0) this.sendHeartbeat(link);
  }

  #hearLeads(link: PeerLink, told: readonly Leadership[] | null): void {
    const first = !link.alive;
    link.alive = true;
    if (!first && told === null) return;
    const before = link.leads;
    const leads = new Map<GroupId, Term>();
    for (const { group, term } of told ?? []) leads.set(group, term);
    link.leads = leads;
    for (const group of this.#groups.values()) {
      const leadsTerm = leads.get(group.id) ?? null;
      if (first || leadsTerm !== (before.get(group.id) ?? null)) group.peerAlive(link.id, leadsTerm);
    }
  }
}
