import type { NodeId, PeerMessage } from '@flotilla/raft';
import type { MessageRecord, NodeState, Recorder } from '@flotilla/sim';
import { labelRaftMessage } from '../peer-labels.ts';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { Violation } from './violation.ts';

interface Sending {
  /** The event of its arrival; null: it is lost. */
  readonly arrival: object | null;
  readonly delayMs: number;
  /** It was sent before: this is one more copy of it. */
  readonly again?: boolean;
}

/** Tells a recorder what happens to cores, so that a failure among them can be looked at. */
export class RunRecord {
  readonly #recorder: Recorder;
  readonly #cluster: CoreCluster;
  /** By the event of their arrival. */
  readonly #underWay = new WeakMap<object, MessageRecord>();
  readonly #paused = new Set<SimulatedMember>();

  constructor(recorder: Recorder, cluster: CoreCluster) {
    this.#recorder = recorder;
    this.#cluster = cluster;
    recorder.now = () => cluster.now;
  }

  added(member: SimulatedMember): void {
    this.#recorder.node(nameOf(member.id));
    this.#recorder.describe(nameOf(member.id), () => stateOf(member));
  }

  started(member: SimulatedMember): void {
    this.#recorder.lifeStarted(nameOf(member.id), member.life + 1);
  }

  crashed(member: SimulatedMember): void {
    this.#paused.delete(member);
    this.#recorder.lifeEnded(nameOf(member.id), 'crash');
  }

  paused(member: SimulatedMember): void {
    this.#paused.add(member);
    this.#recorder.paused(nameOf(member.id));
  }

  cut(from: NodeId, to: NodeId, cut: boolean): void {
    if (cut) this.#recorder.linkCut(nameOf(from), nameOf(to));
    else this.#recorder.linkRestored(nameOf(from), nameOf(to));
  }

  healed(): void {
    const ids = this.#cluster.members.map(({ id }) => id);
    for (const from of ids) for (const to of ids) this.cut(from, to, false);
  }

  sent(message: PeerMessage, { arrival, delayMs, again = false }: Sending): void {
    const [from, to] = [nameOf(message.from), nameOf(message.to)];
    const dueMs = this.#cluster.now + delayMs;
    const label = labelRaftMessage(message);
    const record = this.#recorder.sent({ from, to, dueMs, sizeBytes: 0, label, again });
    if (arrival !== null) this.#underWay.set(arrival, record);
  }

  /** An event begins to happen at a member. */
  happens(event: object, member: SimulatedMember): void {
    const message = this.#underWay.get(event);
    if (message !== undefined) message.arrivedMs = this.#cluster.now;
    if (this.#paused.delete(member)) this.#recorder.resumed(nameOf(member.id));
  }

  /** It has happened, with all that it caused. */
  happened(member: SimulatedMember): void {
    if (this.#recorder.eventHappened(nameOf(member.id))) return;
    throw new Violation('ended as asked', `the run was ended at ${this.#cluster.now} ms, as asked`);
  }
}

/** As the faults of these runs name members. */
function nameOf(id: NodeId): string {
  return `n${id}`;
}

function stateOf(member: SimulatedMember): NodeState | null {
  if (!member.up) return null;
  const { role, term, leader, commit, lastIndex } = member.view;
  return { role, term, leader, commit, last: lastIndex };
}
