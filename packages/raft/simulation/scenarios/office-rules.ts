import type { World } from '@flotilla/sim';
import type { NodeId, RoleChange } from '../../src/core/types.ts';
import type { HostMessage } from '../../src/host/messages.ts';
import type { Group } from '../../src/host/types.ts';
import type { LabWire } from './lab-wire.ts';

/** One leader a term, and one vote a term and member, as seen from outside: on the wire, and by who says to lead. */
export class OfficeRules {
  readonly #world: World;
  readonly #leaders = new Map<number, NodeId>();
  /** By voter and term: to whom. A candidate's request is its vote for itself. */
  readonly #votes = new Map<string, NodeId>();
  /** Called for every vote that is given to another member. */
  onVote: ((voter: NodeId, candidate: NodeId, term: number) => void) | null = null;

  constructor(world: World, wire: LabWire) {
    this.#world = world;
    wire.listeners.push((from, to, message) => this.#sent(from, to, message));
  }

  /** Terms in which more than one member stood for election: without them no double vote could show. */
  get contestedTerms(): number {
    const candidates = new Map<string, number>();
    for (const [key, candidate] of this.#votes) {
      const [voter, term] = key.split(' ') as [string, string];
      if (Number(voter) === candidate) candidates.set(term, (candidates.get(term) ?? 0) + 1);
    }
    return [...candidates.values()].filter((count) => count > 1).length;
  }

  watch(id: NodeId, group: Group<unknown>): void {
    group.onRoleChange((change: RoleChange) => {
      if (change.role === 'leader') this.#led(id, change.term);
    });
  }

  #sent(from: NodeId, to: NodeId, message: HostMessage): void {
    if (message.type !== 'raft') return;
    const { message: said } = message;
    if (said.type === 'append') this.#led(from, said.term);
    else if (said.type === 'vote') this.#voted(from, from, said.term);
    else if (said.type === 'vote-response' && said.granted) {
      this.#voted(from, to, said.term);
      this.onVote?.(from, to, said.term);
    }
  }

  #led(id: NodeId, term: number): void {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, id);
    else if (known !== id) this.#world.violate('two-leaders', `${known} and ${id} lead in term ${term}`);
  }

  #voted(voter: NodeId, candidate: NodeId, term: number): void {
    const key = `${voter} ${term}`;
    const known = this.#votes.get(key);
    if (known === undefined) this.#votes.set(key, candidate);
    else if (known !== candidate) {
      this.#world.violate('two-votes', `${voter} votes for ${known} and ${candidate} in term ${term}`);
    }
  }
}
