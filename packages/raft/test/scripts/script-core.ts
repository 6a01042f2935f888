import type { Random } from '@flotilla/platform';
import { createOpenCore } from '../../src/core/core.ts';
import { ownVoteDurable } from '../../src/core/election.ts';
import { isSingleVoter } from '../../src/core/quorum.ts';
import type { CoreState } from '../../src/core/state.ts';
import type {
  Entry,
  Index,
  Input,
  PeerMessage,
  RaftCore,
  Settlement,
  SnapshotMeta,
  SnapshotSend,
  Term,
  WriteSequence,
} from '../../src/core/types.ts';
import type { NodeOptions } from './node-options.ts';
import { scriptMessage } from './script-message.ts';
import type { ScriptMessage } from './script-message.ts';
import { isPromise, toScriptMessages } from './script-translation.ts';

/** What a member did since its last batch was taken. */
export interface Gathered {
  /** May leave at once. */
  readonly messages: ScriptMessage[];
  /** Leave when the batch is written; those to the member itself among them. */
  readonly promises: ScriptMessage[];
  entries: Entry[];
  snapshot: SnapshotMeta | null;
}

/** The latest draw of a time-out that etcd could make: no script depends on it. */
const latest: Random = {
  u32: () => 0xffff_ffff,
  below: (bound) => bound - 1,
  float: () => 1 - 2 ** -32,
  fork: () => latest,
};

/**
 * One core, drained after every input, and what came out of it gathered for etcd's batches. Whatever the core leaves to
 * its host and etcd says in a message to itself is put into words here: an own vote, entries of its own.
 */
export class ScriptCore {
  readonly state: CoreState;
  readonly #core: RaftCore;
  /** The log as it was handed to writes, durable or not. */
  readonly #log = new Map<number, Entry>();
  /** The end of what the core has handed out for applying. */
  #handedOut: number;
  #gathered = nothingGathered();
  /** What the append thread has said to be written; the core's own vote for an entry may be ahead of it. */
  stable: number;
  /** The last term in which this member has voted for itself. */
  #votedIn = 0;
  /** An only voter asks about a campaign, and sends no message that would tell. */
  #asksItself = false;
  /** The last write that the core has asked for. */
  lastSequence = 0 as WriteSequence;
  readonly #snapshotOf: () => SnapshotMeta;

  constructor(options: NodeOptions, snapshotOf: () => SnapshotMeta) {
    const { snapshot } = options;
    this.#snapshotOf = snapshotOf;
    this.#handedOut = snapshot.index;
    this.stable = snapshot.index;
    const hardState = { term: 0 as Term, vote: 0 as SnapshotSend['to'], commit: snapshot.index };
    const opened = createOpenCore(
      options.core,
      {
        hardState,
        snapshot,
        termRuns: [],
        lastIndex: snapshot.index,
        applied: snapshot.index,
        membership: [],
      },
      latest,
    );
    this.#core = opened.core;
    this.state = opened.state;
  }

  get gathered(): Gathered {
    return this.#gathered;
  }

  take(): Gathered {
    const taken = this.#gathered;
    this.#gathered = nothingGathered();
    return taken;
  }

  entry(index: number): Entry {
    const entry = this.#log.get(index);
    if (entry === undefined) throw new Error(`member ${this.state.id} never wrote entry ${index}`);
    return entry;
  }

  step(input: Input): readonly Settlement[] {
    const { state } = this;
    const last = state.log.last;
    this.#core.step(input);
    const asked = input.type === 'campaign' || (input.type === 'tick' && state.electionElapsed === 0);
    this.#asksItself = asked && state.role === 'pre-candidate' && isSingleVoter(state.configuration);
    return this.drain(last);
  }

  /** Gathers what the core wants. `lastBefore`: where its log ended, to tell which entries a leader has added. */
  drain(lastBefore: number = this.state.log.last): readonly Settlement[] {
    const { state } = this;
    const effects = this.#core.drain();
    this.#gatherWrite(effects.write);
    this.#gatherMessages(effects.send, effects.sendSnapshot);
    for (const message of effects.write?.thenSend ?? []) this.#gatherMessage(message);
    // What the core holds back until earlier writes are durable, etcd gives to its append thread, which works in order.
    state.outbox.release(Infinity as WriteSequence);
    for (const message of state.outbox.takeSend()) this.#gatherMessage(message);
    this.#gatherOwn(effects.send, lastBefore);
    for (const entry of effects.apply) this.#handOut(entry);
    return effects.settle;
  }

  /** The state machine has everything up to `index`, which the core must have handed out by now. */
  applied(index: Index): void {
    while (this.state.log.applied < index) {
      if (this.#handedOut <= this.state.log.applied) {
        throw new Error(`member ${this.state.id} never handed out entry ${this.state.log.applied + 1}`);
      }
      this.step({ type: 'applied', upTo: Math.min(index, this.#handedOut) as Index });
    }
  }

  /** The member would vote for itself in the campaign that it asked about. */
  ownPreVote(term: number): void {
    if (this.state.role !== 'pre-candidate' || term < this.state.term) return;
    const last = this.state.log.last;
    ownVoteDurable(this.state);
    this.drain(last);
  }

  #gatherWrite(write: ReturnType<RaftCore['drain']>['write']): void {
    if (write === null) return;
    const gathered = this.#gathered;
    this.lastSequence = write.sequence;
    if (write.snapshot !== null) {
      gathered.snapshot = write.snapshot;
      gathered.entries = [];
      this.#log.clear();
      this.#handedOut = write.snapshot.index;
      this.stable = write.snapshot.index;
    }
    const { truncateFrom } = write;
    if (truncateFrom !== null) {
      this.stable = Math.min(this.stable, truncateFrom - 1);
      gathered.entries = gathered.entries.filter((entry) => entry.index < truncateFrom);
      for (const index of this.#log.keys()) if (index >= truncateFrom) this.#log.delete(index);
    }
    gathered.entries.push(...write.entries);
    for (const entry of write.entries) this.#log.set(entry.index, entry);
  }

  #gatherMessages(send: readonly PeerMessage[], snapshots: readonly SnapshotSend[]): void {
    for (let at = 0; at <= send.length; at += 1) {
      for (const wanted of snapshots) if (wanted.position === at) this.#gatherSnapshot(wanted);
      const message = send[at];
      if (message !== undefined) this.#gatherMessage(message);
    }
  }

  #gatherMessage(message: PeerMessage): void {
    // Requests for votes leave at once there, before the vote for oneself is durable (see `exceptions.ts`).
    const list = isPromise(message) ? this.#gathered.promises : this.#gathered.messages;
    list.push(...toScriptMessages(message));
  }

  #gatherSnapshot({ to, term, session, index }: SnapshotSend): void {
    const snapshot = this.#snapshotOf();
    if (snapshot.index < index) throw new Error(`no snapshot at ${index} to send, only at ${snapshot.index}`);
    // The state machine is ahead of what the core was told, and etcd asks it.
    const progress = this.state.progress.get(to);
    if (progress?.state === 'snapshot' && snapshot.index > index) {
      progress.pendingSnapshot = snapshot.index;
      progress.next = (snapshot.index + 1) as Index;
      progress.sentCommit(snapshot.index);
    }
    this.#gatherMessage({ type: 'install-snapshot', from: this.state.id, to, term, session, snapshot });
  }

  /** What etcd sends to itself: its own vote, and an answer for each entry that it has added as a leader. */
  #gatherOwn(send: readonly PeerMessage[], lastBefore: number): void {
    const { id, term, role, vote, log } = this.state;
    const { promises } = this.#gathered;
    const common = { from: id, to: id, delivery: { type: 'own', sequence: this.lastSequence } } as const;
    if (this.#asksItself || send.some(({ type }) => type === 'pre-vote')) {
      const delivery = { type: 'own-pre-vote' } as const;
      promises.push(scriptMessage({ ...common, type: 'MsgPreVoteResp', term: term + 1, delivery }));
    }
    this.#asksItself = false;
    const campaigned = role === 'candidate' && vote === id && this.#votedIn < term;
    if (campaigned) promises.push(scriptMessage({ ...common, type: 'MsgVoteResp', term }));
    if (campaigned) this.#votedIn = term;
    if (role !== 'leader') return;
    for (let index = lastBefore + 1; index <= log.last; index += 1) {
      promises.push(scriptMessage({ ...common, type: 'MsgAppResp', term, index }));
    }
  }

  #handOut(entry: Entry): void {
    const known = this.entry(entry.index);
    if (entry.index !== this.#handedOut + 1 || known.term !== entry.term || known.payload !== entry.payload) {
      throw new Error(`member ${this.state.id} handed out ${entry.term}/${entry.index} out of its order`);
    }
    this.#handedOut = entry.index;
  }
}

function nothingGathered(): Gathered {
  return { messages: [], promises: [], entries: [], snapshot: null };
}
