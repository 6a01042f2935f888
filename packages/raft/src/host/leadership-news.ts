import type { NodeId, Term } from '../core/types.ts';
import type { AnyGroup } from './group-context.ts';
import type { Leadership } from './messages.ts';
import type { PeerLink } from './peer-link.ts';
import type { GroupId } from './types.ts';

/** What members tell each other with their heartbeats: which groups they lead, in which term. */
export class LeadershipNews {
  readonly #groups: ReadonlyMap<GroupId, AnyGroup>;
  readonly #links: ReadonlyMap<NodeId, PeerLink>;
  #leads: readonly Leadership[] = [];
  #due = false;

  constructor(groups: ReadonlyMap<GroupId, AnyGroup>, links: ReadonlyMap<NodeId, PeerLink>) {
    this.#groups = groups;
    this.#links = links;
  }

  /** Whether this member leads some group, or the term in which it does, has changed. */
  changed(): void {
    this.#due = true;
  }

  sendHeartbeat(link: PeerLink): void {
    const unchanged = link.leadsTold === this.#leads;
    link.sendHost({ type: 'heartbeat', leads: unchanged ? null : this.#leads, lease: null });
    if (link.connection !== null) link.leadsTold = this.#leads;
  }

  /** A new leader says so at once: its followers stop waiting for one. */
  announce(): void {
    if (!this.#due) return;
    this.#due = false;
    const leads: Leadership[] = [];
    for (const group of this.#groups.values()) {
      const term = group.leadsTerm;
      if (term !== null) leads.push({ group: group.id, term });
    }
    this.#leads = leads;
    for (const link of this.#links.values()) this.sendHeartbeat(link);
  }

  /** A peer's heartbeat. `told` is null when nothing has changed since its last one. */
  heard(link: PeerLink, told: readonly Leadership[] | null): void {
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
