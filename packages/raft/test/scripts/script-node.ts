import { decodeMembershipChange } from '../../src/core/membership-codec.ts';
import { applyMembership } from '../../src/core/reconfiguring.ts';
import { membersOf } from '../../src/core/quorum.ts';
import type { CoreState } from '../../src/core/state.ts';
import type {
  Entry,
  HardState,
  Index,
  Input,
  NodeId,
  PeerMessage,
  Ref,
  RefusalReason,
  Role,
  Settlement,
  SnapshotMeta,
} from '../../src/core/types.ts';
import type { NodeOptions } from './node-options.ts';
import { ScriptCore } from './script-core.ts';
import { ScriptApplying } from './script-applying.ts';
import { appendThread, applyThread, scriptMessage } from './script-message.ts';
import type { Delivery, ScriptMessage } from './script-message.ts';
import type { ScriptReady } from './script-ready.ts';
import { ScriptStorage } from './script-storage.ts';
import { toScriptEntry } from './script-translation.ts';

/** What etcd lets its caller know. */
const droppedReasons: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'no-leader',
  'transferring',
  'uncommitted-bytes',
]);

/**
 * One member of a script: a core, a disk and a state machine that takes a snapshot after every entry. Speaks etcd's
 * way of batches: one is taken, handled, and acknowledged as a whole; or, with asynchronous writes, its parts go as
 * messages to threads, whose answers acknowledge them.
 */
export class ScriptNode {
  readonly id: NodeId;
  readonly options: NodeOptions;
  readonly storage: ScriptStorage;
  readonly appendWork: ScriptMessage[] = [];
  readonly applyWork: ScriptMessage[] = [];
  readonly #core: ScriptCore;
  /** A snapshot after every entry that was applied; one to begin with. */
  readonly #snapshots: SnapshotMeta[];
  #previousRole: { readonly leader: NodeId; readonly role: Role };
  #previousHardState: HardState;
  readonly #applying: ScriptApplying;
  #refs = 0;

  constructor(options: NodeOptions) {
    this.id = options.core.id;
    this.options = options;
    this.storage = new ScriptStorage(options.snapshot.index);
    this.#snapshots = [options.snapshot];
    this.#core = new ScriptCore(options, () => this.snapshot);
    const { leader, role, hardState } = this.state;
    this.#previousRole = { leader, role };
    this.#previousHardState = hardState;
    this.#applying = new ScriptApplying(options.snapshot.index, options.maxCommittedBytes);
  }

  get state(): CoreState {
    return this.#core.state;
  }

  /** The newest one of the state machine. */
  get snapshot(): SnapshotMeta {
    return this.#snapshots[this.#snapshots.length - 1] as SnapshotMeta;
  }

  step(input: Input): readonly Settlement[] {
    return this.#core.step(input);
  }

  /** A message arrives. Gives what etcd says when it cannot be taken. */
  deliver(message: ScriptMessage): string | null {
    const { from } = message;
    const answers = message.type.endsWith('Resp') && typeof from === 'number';
    if (answers && !membersOf(this.state.configuration).includes(from as NodeId)) {
      return 'raft: cannot step as peer not found';
    }
    const { delivery } = message;
    if (delivery.type === 'peer') return this.#receive(delivery.message, message.from as number);
    this.#take(message);
    return null;
  }

  /**
   * Proposes here: appended by a leader, sent on by who knows one. A change that is refused for what it is leaves an
   * empty entry, so nobody is told; gives what etcd says otherwise.
   */
  propose(kind: 'command' | 'membership', payload: Uint8Array, from: number = this.id): string | null {
    const { messages } = this.#core.gathered;
    const before = messages.length;
    this.#refs += 1;
    const ref = this.#refs as Ref;
    const settlements = this.step(
      kind === 'command'
        ? { type: 'propose', ref, payload }
        : { type: 'change-membership', ref, change: decodeMembershipChange(payload) },
    );
    // Sent on, it keeps the name of who proposed it first.
    for (let at = before; at < messages.length; at += 1) {
      const message = messages[at] as ScriptMessage;
      if (message.type === 'MsgProp') messages[at] = { ...message, from };
    }
    const refused = settlements.some((one) => one.type === 'refused' && droppedReasons.has(one.reason));
    return refused ? 'raft proposal dropped' : null;
  }

  /** From another member; see `exceptions.ts` for proposals and snapshots. */
  #receive(message: PeerMessage, from: number): string | null {
    if (message.type === 'propose') {
      const problems = message.payloads.map((payload) => this.propose(message.kind, payload, from));
      return problems.find((problem) => problem !== null) ?? null;
    }
    if (message.type === 'install-snapshot' && message.term < this.state.term) return null;
    this.step({
      type: 'receive',
      message: message.type === 'install-snapshot' ? this.#installed(message) : message,
    });
    return null;
  }

  /**
   * As a host does, the node installs no snapshot that brings nothing: of a configuration that it is not in, or of what
   * its log has. It tells the core to commit what is known to be equal then.
   */
  #installed(message: Extract<PeerMessage, { type: 'install-snapshot' }>): PeerMessage {
    const { log } = this.state;
    const { index, term, configuration } = message.snapshot;
    if (index <= log.commit) return message;
    const member = membersOf(configuration).includes(this.id);
    const within = member && log.matches(index, term);
    if (member && !within) return message;
    const commit = within ? index : log.commit;
    const previousTerm = within ? term : (log.termAt(commit) ?? term);
    const rest = { previousIndex: commit, previousTerm, entries: [], commit, topPriority: 0 };
    return { ...message, type: 'append', ...rest };
  }

  #take({ delivery, term, snapshot }: ScriptMessage): void {
    // A message of an earlier term acknowledges no entries: what it tells of may have been replaced since.
    const stale = term < this.state.term;
    if (delivery.type === 'applied') {
      this.#applied(delivery.entries);
    } else if (delivery.type === 'own-pre-vote') {
      this.#core.ownPreVote(term);
    } else if (delivery.type === 'own') {
      if (!stale) this.step({ type: 'persisted', upTo: delivery.sequence });
    } else if (delivery.type === 'stored') {
      const { last, sequence } = delivery;
      const there = last === null || this.state.log.termAt(last.index) === last.term;
      if (stale ? snapshot === null : !there) return;
      if (last !== null && there && !stale) this.#core.stable = Math.max(this.#core.stable, last.index);
      this.step({ type: 'persisted', upTo: sequence });
    }
  }

  /** Whether there is a batch to take. */
  get hasReady(): boolean {
    const { messages, promises, entries, snapshot } = this.#core.gathered;
    return (
      messages.length + promises.length + entries.length > 0 ||
      snapshot !== null ||
      this.#changedRole() !== null ||
      this.#changedHardState() !== null ||
      this.#applying.has(this.#appliable)
    );
  }

  /** Takes the next batch. Everything that is not asynchronous is handled before it returns. */
  processReady(send: (message: ScriptMessage) => void, print: (ready: ScriptReady) => void): void {
    const written = this.#core.lastSequence;
    const ready = this.#takeReady();
    print(ready.ready);
    if (this.options.asyncStorageWrites) {
      for (const message of ready.ready.messages) this.#routeAsync(message, send);
      return;
    }
    const { entries, snapshot, committed, messages } = ready.ready;
    this.#write(entries, snapshot);
    this.#apply(committed);
    for (const message of messages) send(message);
    for (const acknowledgement of ready.acknowledgements) this.#take(acknowledgement);
    this.step({ type: 'persisted', upTo: written });
  }

  /** Handles the oldest thing that waits for the append thread, and gives what is said when it is done. */
  processAppendThread(): ScriptMessage | null {
    const message = this.appendWork.shift();
    if (message?.delivery.type === 'store') {
      this.#write(message.delivery.work.entries, message.delivery.work.snapshot);
    }
    return message ?? null;
  }

  processApplyThread(): ScriptMessage | null {
    const message = this.applyWork.shift();
    if (message?.delivery.type === 'apply') this.#apply(message.delivery.entries);
    return message ?? null;
  }

  compact(index: Index): void {
    const { index: at, term } = this.storage.compact(index);
    this.step({
      type: 'compacted',
      through: { index: at, term, configuration: this.state.configuration },
    });
  }

  #takeReady(): { readonly ready: ScriptReady; readonly acknowledgements: readonly ScriptMessage[] } {
    const role = this.#changedRole();
    const hardState = this.#changedHardState();
    const committed = this.#applying.next(this.#appliable, (index) => this.#core.entry(index));
    const { messages, promises, entries, snapshot } = this.#core.take();
    const { term, vote } = this.state;
    const previous = this.#previousHardState;
    const mustSync = entries.length > 0 || term !== previous.term || vote !== previous.vote;
    if (role !== null) this.#previousRole = role;
    if (hardState !== null) this.#previousHardState = hardState;
    const stored = this.#storedMessage(snapshot);
    const applied = committed.length === 0 ? [] : [this.#appliedMessage(committed)];
    const ready = { role, hardState, entries, snapshot, committed, mustSync };
    if (!this.options.asyncStorageWrites) {
      const outside = promises.filter((message) => message.to !== this.id);
      const own = promises.filter((message) => message.to === this.id);
      return {
        ready: { ...ready, messages: [...messages, ...outside] },
        acknowledgements: [...own, ...stored, ...applied],
      };
    }
    const store = this.#storeMessage(ready, [...promises, ...stored]);
    const needsStore = hardState !== null || snapshot !== null || entries.length + promises.length > 0;
    if (needsStore) messages.push(store);
    if (committed.length > 0) messages.push(this.#applyMessage(committed, applied));
    return { ready: { ...ready, messages }, acknowledgements: [] };
  }

  #storeMessage(ready: Omit<ScriptReady, 'messages'>, responses: readonly ScriptMessage[]): ScriptMessage {
    const { hardState, entries, snapshot } = ready;
    return scriptMessage({
      from: this.id,
      to: appendThread,
      type: 'MsgStorageAppend',
      term: hardState?.term ?? 0,
      vote: hardState?.vote ?? 0,
      commit: hardState?.commit ?? 0,
      entries: entries.map(toScriptEntry),
      snapshot,
      responses,
      delivery: { type: 'store', work: { entries, snapshot } },
    });
  }

  /** Said by the append thread. It tells of the end of the log while any of it is not known to be durable. */
  #storedMessage(snapshot: SnapshotMeta | null): readonly ScriptMessage[] {
    const { log, term } = this.state;
    const unstable = log.last > this.#core.stable;
    if (!unstable && snapshot === null) return [];
    const last = unstable ? { index: log.last, term: log.lastTerm } : null;
    return [
      scriptMessage({
        from: appendThread,
        to: this.id,
        type: 'MsgStorageAppendResp',
        term,
        logTerm: last?.term ?? 0,
        index: last?.index ?? 0,
        snapshot,
        delivery: { type: 'stored', sequence: this.#core.lastSequence, last },
      }),
    ];
  }

  #applyMessage(entries: readonly Entry[], responses: readonly ScriptMessage[]): ScriptMessage {
    const delivery: Delivery = { type: 'apply', entries };
    const text = entries.map(toScriptEntry);
    return scriptMessage({
      from: this.id,
      to: applyThread,
      type: 'MsgStorageApply',
      entries: text,
      responses,
      delivery,
    });
  }

  #appliedMessage(entries: readonly Entry[]): ScriptMessage {
    const delivery: Delivery = { type: 'applied', entries };
    const text = entries.map(toScriptEntry);
    return scriptMessage({
      from: applyThread,
      to: this.id,
      type: 'MsgStorageApplyResp',
      entries: text,
      delivery,
    });
  }

  #routeAsync(message: ScriptMessage, send: (message: ScriptMessage) => void): void {
    if (message.to === appendThread) this.appendWork.push(message);
    else if (message.to === applyThread) this.applyWork.push(message);
    else send(message);
  }

  #write(entries: readonly Entry[], snapshot: SnapshotMeta | null): void {
    if (snapshot !== null) this.storage.install(snapshot);
    this.storage.append(entries);
  }

  /** Changes of membership take effect here, before the batch that brought them is acknowledged. */
  #apply(entries: readonly Entry[]): void {
    for (const { index, term, kind } of entries) {
      let { configuration } = this.snapshot;
      if (kind === 'membership') {
        applyMembership(this.state, index);
        this.#core.drain();
        configuration = this.state.configuration;
      }
      this.#snapshots.push({ index, term, configuration });
    }
  }

  #applied(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.#applying.applied(entries);
    this.#core.applied(last.index);
  }

  /**
   * How far etcd would hand out entries. With asynchronous writes only what is durable; else also what the same batch
   * writes, because its host writes it first.
   */
  get #appliable(): number {
    const { log } = this.state;
    if (log.installing) return 0;
    this.#applying.installed(log.base);
    return this.options.asyncStorageWrites ? Math.min(log.commit, this.#core.stable) : log.commit;
  }

  #changedRole(): ScriptReady['role'] {
    const { leader, role } = this.state;
    const previous = this.#previousRole;
    return leader === previous.leader && role === previous.role ? null : { leader, role };
  }

  #changedHardState(): HardState | null {
    const { hardState } = this.state;
    const { term, vote, commit } = this.#previousHardState;
    const changed = hardState.term !== term || hardState.vote !== vote || hardState.commit !== commit;
    return changed ? hardState : null;
  }
}
