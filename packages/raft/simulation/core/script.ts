import { configurationOf } from '../../src/core/configuration.ts';
import { assert, present, seededRandom } from '@flotilla/platform';
import { coreLimits, createCore } from '@flotilla/raft';
import type { CoreConfig, CoreView, Effects, Entry, Index, Input, NodeId, PeerMessage } from '@flotilla/raft';
import type {
  Configuration,
  MembershipChange,
  MembershipOperation,
  RaftCore,
  Ref,
  Settlement,
} from '@flotilla/raft';
import type { SnapshotMeta, SnapshotSend } from '@flotilla/raft';
import { DurableLog } from './durable-log.ts';

const operations: Readonly<Record<string, MembershipOperation>> = {
  v: 'add-voter',
  l: 'add-learner',
  r: 'remove',
  u: 'update',
};

/** A message as the script's author names it: who, to whom, what. */
export interface Pick {
  readonly from?: number;
  readonly to?: number;
  readonly type?: PeerMessage['type'];
}

interface ScriptedMember {
  readonly disk: DurableLog;
  core: RaftCore;
  view: CoreView;
  lives: number;
  up: boolean;
  /** Writes that are not synced yet hold these back. */
  held: { sequence: number; message: PeerMessage }[];
  synced: boolean;
  lastSequence: number;
}

/**
 * Cores in the hands of a script: nothing is delivered, synced or lost but by its order. For the histories that a
 * random search meets too seldom, or that somebody has met before.
 *
 * @example
 * const script = new Script(3);
 * script.elect(1);
 * script.propose(1, 'x');
 * script.drop({ to: 3 });
 * script.settle();
 */
export class Script {
  readonly #members = new Map<number, ScriptedMember>();
  readonly #config: Partial<CoreConfig>;
  readonly #configOf: Readonly<Record<number, Partial<CoreConfig>>>;
  readonly #founders: Configuration;
  /** Snapshots that leaders have asked their hosts to ship, in order. */
  readonly snapshots: (SnapshotSend & { readonly from: number })[] = [];
  /** Released and not delivered, in the order of release. */
  readonly network: PeerMessage[] = [];
  readonly settlements: (Settlement & { readonly at: number })[] = [];
  /** What each member has applied, as text; no-ops are empty. */
  readonly applied = new Map<number, string[]>();
  #nextRef = 1;

  constructor(
    members: number,
    config: Partial<CoreConfig> = {},
    configOf: Readonly<Record<number, Partial<CoreConfig>>> = {},
  ) {
    this.#config = config;
    this.#configOf = configOf;
    this.#founders = configurationOf(Array.from({ length: members }, (_, i) => i + 1));
    for (const id of this.#founders.voters) this.join(id);
  }

  /** A member with an empty disk, of that id; it knows the founders unless said otherwise. */
  join(id: number, configuration = this.#founders): void {
    const disk = new DurableLog({ index: 0 as Index, term: 0 as SnapshotMeta['term'], configuration });
    const core = this.#createCore(id as NodeId, disk, 1);
    const rest = { lives: 1, up: true, held: [], synced: true, lastSequence: 0 };
    this.#members.set(id, { disk, core, view: core.inspect(), ...rest });
    this.applied.set(id, []);
  }

  view(id: number): CoreView {
    return this.#member(id).view;
  }

  wantsTicks(id: number): boolean {
    return this.#member(id).core.wantsTicks;
  }

  disk(id: number): DurableLog {
    return this.#member(id).disk;
  }

  step(id: number, input: Input): void {
    this.stepAll(id, [input]);
  }

  /** Inputs of one turn: drained together. */
  stepAll(id: number, inputs: readonly Input[]): void {
    const { core } = this.#member(id);
    for (const input of inputs) core.step(input);
    this.#drain(id);
  }

  campaign(id: number): void {
    this.step(id, { type: 'campaign' });
  }

  /** Campaigns, and delivers until it leads and everybody knows. */
  elect(id: number): void {
    this.campaign(id);
    this.settle();
    assert(this.view(id).role === 'leader', `${id} leads`);
  }

  propose(id: number, text: string): Ref {
    const ref = this.#ref();
    this.step(id, { type: 'propose', ref, payload: new TextEncoder().encode(text) });
    return ref;
  }

  read(id: number, policy: 'read-index' | 'lease' = 'read-index'): Ref {
    const ref = this.#ref();
    this.step(id, { type: 'read', ref, policy });
    return ref;
  }

  /** Asks `id` for a change, as `v4 l5 r1 u2`: voter, learner, remove, update. */
  change(id: number, text: string, transition: MembershipChange['transition'] = 'auto'): Ref {
    const ref = this.#ref();
    const steps = text
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => ({
        operation: present(operations[word[0] as string], `an operation in ${word}`),
        id: Number(word.slice(1)) as NodeId,
      }));
    this.step(id, {
      type: 'change-membership',
      ref,
      change: { steps, transition, context: new Uint8Array(0) },
    });
    return ref;
  }

  /** Ships the oldest snapshot that was asked for, as its sender is now. */
  shipSnapshot(): void {
    const { from, to, term, session } = present(this.snapshots.shift(), 'a snapshot to ship');
    const { view } = this.#member(from);
    const snapshot: SnapshotMeta = {
      index: view.applied,
      term: present(view.termAt(view.applied), 'the term of a snapshot'),
      configuration: present(view.configurationAt(view.applied), 'its configuration'),
    };
    this.step(to, {
      type: 'receive',
      message: { type: 'install-snapshot', from: from as NodeId, to, term, session, snapshot },
    });
    this.step(from, { type: 'snapshot-sent', to, ok: true });
  }

  settlement(ref: Ref): Settlement | undefined {
    return this.settlements.find(
      (settlement) => settlement.ref === ref && settlement.type !== 'read-forwarded',
    );
  }

  /** Leaves the member's writes unsynced from now on, until {@link sync}. */
  holdDisk(id: number): void {
    this.#member(id).synced = false;
  }

  sync(id: number): void {
    const member = this.#member(id);
    member.synced = true;
    this.#sync(id);
  }

  /** Completes the oldest write that is not durable, alone. */
  syncFirst(id: number): void {
    const member = this.#member(id);
    const upTo = member.disk.firstPending();
    member.disk.sync(upTo);
    member.core.step({ type: 'persisted', upTo });
    const released = member.held.filter(({ sequence }) => sequence <= upTo);
    member.held = member.held.filter(({ sequence }) => sequence > upTo);
    for (const { message } of released) this.network.push(message);
    this.#drain(id);
  }

  crash(id: number, survivors = 0): void {
    const member = this.#member(id);
    member.disk.crash(survivors);
    member.up = false;
    member.held = [];
  }

  restart(id: number): void {
    const member = this.#member(id);
    member.lives += 1;
    member.up = true;
    member.synced = true;
    member.lastSequence = 0;
    member.core = this.#createCore(id as NodeId, member.disk, member.lives);
    member.view = member.core.inspect();
    this.applied.set(id, []);
    this.#drain(id);
  }

  /** It has left, let go of its log, and begins again with what it keeps of it. */
  comeBack(id: number): void {
    const member = this.#member(id);
    member.disk.crash(member.disk.pendingWrites);
    member.held = [];
    member.disk.letGo();
    this.restart(id);
  }

  /** The messages on their way that fit, left where they are. */
  find(pick: Pick): readonly PeerMessage[] {
    return this.network.filter((message) => fits(message, pick));
  }

  /** Takes the messages that fit out of the network. */
  take(pick: Pick): readonly PeerMessage[] {
    const taken = this.find(pick);
    for (const message of taken) this.network.splice(this.network.indexOf(message), 1);
    return taken;
  }

  drop(pick: Pick): number {
    return this.take(pick).length;
  }

  /** Delivers the messages on their way that fit, not those that they cause. */
  deliver(pick: Pick = {}): number {
    const taken = this.take(pick);
    for (const message of taken) this.inject(message);
    return taken.length;
  }

  /** Delivers a message that the script kept, or made up. */
  inject(message: PeerMessage): void {
    const member = this.#member(message.to);
    if (!member.up) return;
    this.step(message.to, { type: 'receive', message });
  }

  /** Delivers until nothing is on its way. */
  settle(pick: Pick = {}): void {
    for (let rounds = 0; this.deliver(pick) > 0; rounds += 1) assert(rounds < 1000, 'the script settles');
  }

  /** The log of a member, as «term/text», the no-op's text empty. */
  logOf(id: number): readonly string[] {
    const { view } = this.#member(id);
    const found: string[] = [];
    for (let index = view.firstIndex as number; index <= view.lastIndex; index += 1) {
      found.push(`${view.termAt(index as Index)}`);
    }
    return found;
  }

  #drain(id: number): void {
    const member = this.#member(id);
    while (member.up && member.core.ready) this.#perform(id, member, member.core.drain());
  }

  #perform(id: number, member: ScriptedMember, effects: Effects): void {
    const { write } = effects;
    this.network.push(...effects.send);
    for (const settlement of effects.settle) this.settlements.push({ ...settlement, at: id });
    for (const { ref, from, to, maxBytes } of effects.readLog) {
      member.core.step({ type: 'log-read', ref, result: member.disk.read(from, to, maxBytes) });
    }
    if (write !== null) {
      member.disk.write(write);
      member.lastSequence = write.sequence;
      for (const message of write.thenSend) member.held.push({ sequence: write.sequence, message });
      if (member.synced) this.#sync(id);
    }
    for (const send of effects.sendSnapshot) this.snapshots.push({ ...send, from: id });
    if (effects.apply.length > 0) this.#apply(id, member, effects.apply);
  }

  #sync(id: number): void {
    const member = this.#member(id);
    if (member.lastSequence === 0) return;
    const upTo = member.disk.syncTarget();
    member.disk.sync(upTo);
    member.core.step({ type: 'persisted', upTo });
    for (const { message } of member.held) this.network.push(message);
    member.held = [];
    this.#drain(id);
  }

  #apply(id: number, member: ScriptedMember, entries: readonly Entry[]): void {
    const texts = present(this.applied.get(id), 'a member');
    for (const { kind, payload } of entries)
      texts.push(kind === 'command' ? new TextDecoder().decode(payload) : '');
    member.core.step({ type: 'applied', upTo: present(entries[entries.length - 1], 'an entry').index });
  }

  #createCore(id: NodeId, disk: DurableLog, life: number): RaftCore {
    return createCore(
      {
        id,
        incarnation: life,
        electionTicks: 10,
        heartbeatTicks: 1,
        liveness: 'ticks',
        priority: 100,
        preVote: false,
        checkQuorum: false,
        ...coreLimits,
        ...this.#config,
        ...this.#configOf[id],
      },
      disk.restored(disk.snapshot.index),
      seededRandom(id * 31 + life),
    );
  }

  #ref(): Ref {
    this.#nextRef += 1;
    return this.#nextRef as Ref;
  }

  #member(id: number): ScriptedMember {
    return present(this.#members.get(id), `member ${id}`);
  }
}

function fits(message: PeerMessage, pick: Pick): boolean {
  return (
    (pick.from === undefined || message.from === pick.from) &&
    (pick.to === undefined || message.to === pick.to) &&
    (pick.type === undefined || message.type === pick.type)
  );
}
