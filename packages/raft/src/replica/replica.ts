import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Address, Platform } from '@flotilla/platform';
import { configurationOf } from '../core/configuration.ts';
import { membersOf } from '../core/quorum.ts';
import type { NodeId, RoleChange } from '../core/types.ts';
import { createHost } from '../host/host.ts';
import type { Group, Host } from '../host/types.ts';
import { formatAddress, parseAddress } from './address.ts';
import { AddressBook } from './address-book.ts';
import { throwIfAborted, untilAborted } from './calls.ts';
import type { CallOptions } from './calls.ts';
import { openReplicaDirectory } from './data-directory.ts';
import type { DataDirectory } from './data-directory.ts';
import { EventListeners } from './events.ts';
import type { Listener, MemberInfo, ReplicaEvents } from './events.ts';
import { replicaLimits } from './limits.ts';
import { MembershipChanger } from './membership-changer.ts';
import type { MemberChange } from './membership-plan.ts';
import { resolveOptions } from './options.ts';
import type { ReplicaOptions, ResolvedOptions } from './options.ts';
import { encodeCommand } from './proposal.ts';
import { Publisher } from './publisher.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { StateAdapter } from './state-adapter.ts';
import type { Applied, StateAdapterHandler } from './state-adapter.ts';
import type { ReplicaStateMachine, ResultOf } from './state-machine.ts';
import type { ReadOptions, ReplicaMetrics, ReplicaStatus } from './types.ts';

/**
 * One member of a replicated state machine: commands that are proposed at any member are applied at all of them, in the
 * same order, exactly once, and survive as long as a majority of the members' disks does.
 *
 * @example
 * const replica = await Replica.open({
 *   id: 1,
 *   dataDir: 'data/n1',
 *   peers: { 1: '10.0.0.1:7000', 2: '10.0.0.2:7000', 3: '10.0.0.3:7000' },
 *   stateMachine: new Counter(),
 * });
 * const value = await replica.propose(Uint8Array.of(1)); // what `apply` answered, when it is durable on two of three
 * const now = await replica.read((counter) => counter.value); // at least that new, at any member
 * await replica.close();
 */
export class Replica<Machine extends ReplicaStateMachine<unknown>> {
  /** This member's id. */
  readonly id: number;
  readonly #platform: Platform;
  readonly #machine: Machine;
  readonly #options: ResolvedOptions;
  readonly #directory: DataDirectory;
  readonly #adapter: StateAdapter<ResultOf<Machine>>;
  readonly #files: SnapshotFiles;
  readonly #book: AddressBook;
  readonly #host: Host;
  readonly #group: Group<Applied<ResultOf<Machine>>>;
  readonly #events: EventListeners;
  readonly #publisher: Publisher;
  readonly #changer: MembershipChanger;
  /** Where the host believes others to be. */
  readonly #told = new Map<NodeId, string>();
  #members = '';
  #role: RoleChange;
  #removed = false;
  #membersDue = false;
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;
  readonly #counts = { snapshotsTaken: 0, snapshotsInstalled: 0, snapshotFileBytes: 0 };

  private constructor(parts: Parts<Machine>) {
    const { platform, options, directory, adapter, book, files, host, group, machine } = parts;
    this.id = options.id;
    this.#platform = platform;
    this.#machine = machine;
    this.#options = options;
    this.#directory = directory;
    this.#adapter = adapter;
    this.#book = book;
    this.#files = files;
    this.#host = host;
    this.#group = group;
    this.#events = new EventListeners(platform.log);
    this.#publisher = new Publisher({
      platform,
      group,
      members: adapter.members,
      id: options.id as NodeId,
      address: options.address,
      instance: directory.identity.instance,
      disowned: (error) => this.fail(error),
    });
    this.#changer = new MembershipChanger({
      platform,
      id: options.id as NodeId,
      group,
      configuration: () => adapter.configuration,
      addressOf: (id) => addressOf(parts, id),
    });
    const { role, term, leader } = group.status();
    this.#role = { role, term, leader };
    for (const [id, address] of peersOf(parts)) this.#told.set(id, formatAddress(address));
  }

  /**
   * Opens this member's data, making it at the first start, and takes part in the group. Resolves when the state of the
   * last snapshot is restored and the port is open; the newest commands, and a leader, may be found a moment later.
   *
   * Rejects with `FLOTILLA_CONFIG_INVALID` (names the option), `FLOTILLA_DISK_LOCKED` (another process has the directory),
   * `FLOTILLA_FOREIGN_DATA`, `FLOTILLA_DATA_DIRECTORY`, `FLOTILLA_DATA_DAMAGED`, `FLOTILLA_LOG_DAMAGED`,
   * `FLOTILLA_SNAPSHOT_VERSION`, `FLOTILLA_ADDRESS_IN_USE` and the like; nothing is left open then.
   */
  static async open<Machine extends ReplicaStateMachine<unknown>>(
    options: ReplicaOptions<Machine>,
  ): Promise<Replica<Machine>> {
    const resolved = resolveOptions(options);
    const { platform, stateMachine } = options;
    // What was opened, to be closed again in reverse when a later step fails.
    const undo: (() => Promise<void>)[] = [];
    try {
      const directory = await openReplicaDirectory(platform, resolved);
      undo.push(() => directory.release());
      const { clusterId } = resolved;
      const files = await SnapshotFiles.open({ platform, directory: directory.snapshotDirectory, clusterId });
      const initialConfiguration = configurationOf(directory.identity.voters, directory.identity.learners);
      const handler = new EarlyHandler();
      const adapter = await StateAdapter.open<ResultOf<Machine>>({
        platform,
        machine: stateMachine as ReplicaStateMachine<ResultOf<Machine>>,
        files,
        initialConfiguration,
        snapshotEvery: resolved.snapshotEvery,
        chunkBytes: resolved.chunkBytes,
        handler,
      });
      undo.push(() => adapter.close());
      const book = await AddressBook.open(platform, resolved.dataDir);
      const parts = { platform, options: resolved, directory, adapter, book, files, machine: stateMachine };
      const host = await createHost({
        platform,
        nodeId: resolved.id as NodeId,
        clusterId,
        instance: directory.identity.instance,
        instanceOf: (peer) => adapter.members.get(peer)?.instance ?? null,
        // The leader of one that has nothing yet, or nothing any more, may be somebody of whom it was not told.
        admits: () => adapter.applied.index === 0,
        directory: directory.raftDirectory,
        peers: peersOf(parts),
        listen: resolved.listen,
        config: resolved.host,
        ...(options.transport === undefined ? {} : { transport: options.transport }),
        ...(options.log === undefined ? {} : { openLog: options.log }),
      });
      undo.push(() => host.close());
      const group = await host.openGroup({ id: 0, stateMachine: adapter, initialConfiguration });
      const replica = new Replica<Machine>({ ...parts, host, group });
      handler.attach(replica.#handler);
      replica.#start();
      return replica;
    } catch (error) {
      for (const close of undo.reverse()) await close().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Replicates `command` and resolves to what the state machine answered to it, here, when a majority has it durably.
   * Any member takes it and passes it on to the leader; while there is none it waits. It is applied at most once, however
   * often the leader changes meanwhile.
   *
   * Rejects when nothing was proposed with `FLOTILLA_NO_LEADER`, `FLOTILLA_PROPOSAL_TOO_LARGE`,
   * `FLOTILLA_TOO_MANY_PROPOSALS` (slow down), `FLOTILLA_ABORTED`, `FLOTILLA_REMOVED` or `FLOTILLA_REPLICA_CLOSED`; and when the
   * outcome is unknown with `FLOTILLA_PROPOSAL_TIMEOUT`, `FLOTILLA_PROPOSAL_UNKNOWN` or `FLOTILLA_STOPPED`.
   * {@link isOutcomeUnknown} tells the two apart.
   *
   * @example
   * const value = await replica.propose(encode({ add: 1 }), { timeoutMs: 2_000, signal: request.signal });
   */
  async propose(command: Uint8Array, options: CallOptions = {}): Promise<ResultOf<Machine>> {
    this.#requireMember();
    throwIfAborted(options.signal);
    const timeoutMs = options.timeoutMs ?? this.#options.proposeTimeoutMs;
    const applied = await untilAborted(
      this.#group.propose(encodeCommand(command), { timeoutMs }),
      options.signal,
      'FLOTILLA_PROPOSAL_UNKNOWN',
      'the call was aborted: the command may be applied, or not',
    );
    return (applied as Extract<typeof applied, { kind: 'result' }>).result;
  }

  /**
   * Has `look` see the state, as new as `consistency` says: by default it sees everything that was acknowledged before the
   * call. `look` is synchronous, so that nothing changes under its eyes; it must change nothing and keep nothing.
   *
   * Rejects with `FLOTILLA_NO_LEADER`, `FLOTILLA_READ_TIMEOUT`, `FLOTILLA_TOO_MANY_READS`, `FLOTILLA_STATE_NOT_READY` (`local`, while
   * there is no state here), `FLOTILLA_ABORTED`, `FLOTILLA_REMOVED`, `FLOTILLA_REPLICA_CLOSED` or `FLOTILLA_STOPPED`, and with what
   * `look` throws.
   *
   * @example
   * const stock = await replica.read((shop) => shop.stockOf('anchor'), { consistency: 'local' });
   */
  async read<T>(look: (stateMachine: Machine) => T, options: ReadOptions = {}): Promise<T> {
    const { consistency = 'linearizable', signal } = options;
    throwIfAborted(signal);
    if (consistency === 'local') {
      this.#requireOpen();
      const hasState = this.#group.status().stateReady || this.#adapter.applied.index > 0;
      if (!this.#adapter.readable || !hasState) {
        throw new FlotillaError(
          'FLOTILLA_STATE_NOT_READY',
          'this member has no state yet: another one sends it',
        );
      }
      return look(this.#machine);
    }
    this.#requireMember();
    const timeoutMs = options.timeoutMs ?? this.#options.proposeTimeoutMs;
    const policy = consistency === 'lease' ? 'lease' : 'read-index';
    const barrier = this.#group.readBarrier({ timeoutMs, policy });
    await untilAborted(barrier, signal, 'FLOTILLA_ABORTED', 'the read was aborted');
    return look(this.#machine);
  }

  /**
   * Changes who is in the group, one wish or several at once, and resolves to the members when all of it is so. Any
   * member takes it. A newcomer is a learner until it has caught up, so that it never counts before it can; where more
   * than one voter changes, the group goes through a joint configuration; a leader that leaves hands over first. What
   * is so already is no change: after a rejection the same wish may be repeated.
   *
   * At a member that removes itself it resolves when that is known here: what came with it may not be.
   *
   * Start a newcomer with `join: true`, before or after this call. An id that was removed is refused for ever.
   *
   * Rejects with `FLOTILLA_MEMBERSHIP_INVALID`, `FLOTILLA_MEMBERSHIP_ID_REUSED`, and when the time is over with what stood in the
   * way: `FLOTILLA_LEARNER_BEHIND` (the newcomer stays a learner), `FLOTILLA_MEMBERSHIP_PENDING`, `FLOTILLA_NO_LEADER`,
   * `FLOTILLA_PROPOSAL_TIMEOUT`…
   *
   * @param options `timeoutMs`: 120,000 unless given.
   * @example
   * await replica.changeMembership({ add: { id: 4, address: '10.0.0.4:7000' } });
   * await replica.changeMembership([{ replace: { id: 1, by: { id: 5, address: '10.0.0.5:7000' } } }, { demote: 2 }]);
   */
  async changeMembership(
    changes: MemberChange | readonly MemberChange[],
    options: CallOptions = {},
  ): Promise<readonly MemberInfo[]> {
    this.#requireMember();
    const timeoutMs = options.timeoutMs ?? replicaLimits.membershipTimeoutMs;
    await untilAborted(
      this.#changer.change(isList(changes) ? changes : [changes], timeoutMs, options.signal),
      options.signal,
      'FLOTILLA_PROPOSAL_UNKNOWN',
      'the call was aborted: part of the change may be made',
    );
    return this.members();
  }

  /**
   * Has another voter lead: `to`; or else, at the leader, the one that has most of its log, and anywhere else this
   * member itself. Resolves when it is known here to lead. Rejects with `FLOTILLA_TRANSFER_TIMEOUT` (the old leader goes
   * on), `FLOTILLA_TRANSFER_TARGET` (no voter), `FLOTILLA_REMOVED`, `FLOTILLA_REPLICA_CLOSED` or `FLOTILLA_STOPPED`.
   *
   * @example
   * // Before this process is stopped; a follower that asks is made the leader.
   * if (replica.status().role === 'leader') await replica.transferLeadership();
   */
  async transferLeadership(to: number | null = null, options: CallOptions = {}): Promise<void> {
    this.#requireMember();
    throwIfAborted(options.signal);
    const timeoutMs = options.timeoutMs ?? this.#options.proposeTimeoutMs;
    // Who is furthest only the leader knows.
    const target = to ?? (this.#role.role === 'leader' ? null : this.id);
    await untilAborted(
      this.#group.transferLeadership(target as NodeId | null, { timeoutMs }),
      options.signal,
      'FLOTILLA_PROPOSAL_UNKNOWN',
      'the call was aborted: leadership may be handed over, or not',
    );
  }

  /** The members as of what is applied here, by id. */
  members(): readonly MemberInfo[] {
    const { configuration } = this.#adapter;
    const { leader } = this.#group.status();
    return [...membersOf(configuration)]
      .sort((a, b) => a - b)
      .map((id) => {
        const address = this.#addressOf(id);
        return {
          id,
          address: address === null ? null : formatAddress(address),
          role: configuration.voters.includes(id) ? 'voter' : 'learner',
          isLeader: id === leader,
        };
      });
  }

  /** What this member is and knows at the moment. Cheap. */
  status(): ReplicaStatus {
    const status = this.#group.status();
    return {
      id: this.id,
      role: status.role,
      term: status.term,
      leader: status.leader === 0 ? null : status.leader,
      commitIndex: status.commit,
      appliedIndex: status.applied,
      lastIndex: status.lastIndex,
      snapshotIndex: this.#files.latest?.index ?? 0,
      isStateReady: status.stateReady && this.#adapter.readable,
      isRemoved: this.#removed,
      address: formatAddress(this.#host.address),
      failure: this.#failure?.message ?? status.failure,
      host: this.#host.status(),
    };
  }

  /** Of this life: what was proposed, sent, written, applied… */
  get metrics(): ReplicaMetrics {
    return { ...this.#host.metrics, ...this.#counts };
  }

  /**
   * Calls `listener` at every event of that name, and answers how to stop that.
   *
   * @example
   * const off = replica.on('leader', ({ leader }) => console.log(`member ${leader} leads`));
   * replica.on('fatal', () => process.exit(1));
   */
  on<Name extends keyof ReplicaEvents>(name: Name, listener: Listener<Name>): () => void {
    const off = this.#events.on(name, listener);
    // Whoever asks late must not wait for what has been.
    if (name === 'fatal' && this.#failure !== null) (listener as Listener<'fatal'>)(this.#failure);
    if (name === 'removed' && this.#removed) (listener as Listener<'removed'>)({ id: this.id });
    return off;
  }

  /**
   * Rejects every pending call with `FLOTILLA_STOPPED`, stops taking part, and lets go of the port and the directory.
   * Idempotent. A leader that closes leaves the others to an election: a leader that calls
   * {@link transferLeadership} first avoids the gap.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `await using replica = …`, where the runtime knows it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): void {
    this.#host.onFatal((error) => this.#failed(error));
    this.#group.onRoleChange((change) => this.#roleChanged(change));
    this.#group.onRemoved(() => {
      this.#removed = true;
      this.#publisher.stop();
      this.#events.emit('removed', { id: this.id });
    });
    this.#membersChanged();
    this.#publisher.wake();
  }

  async #close(): Promise<void> {
    this.#publisher.stop();
    await this.#host.close();
    await this.#adapter.close();
    await this.#book.close();
    await this.#directory.release();
  }

  #roleChanged(change: RoleChange): void {
    const before = this.#role;
    this.#role = change;
    const { role, term, leader } = change;
    if (leader !== before.leader) this.#events.emit('leader', { leader: leader === 0 ? null : leader, term });
    if (role !== before.role) this.#events.emit('role', { role, term });
    if (leader !== 0) this.#publisher.wake();
  }

  /** Called in the middle of applying: what follows from it waits for the end of the turn. */
  #membersSoon(): void {
    if (this.#membersDue) return;
    this.#membersDue = true;
    this.#platform.defer(() => {
      this.#membersDue = false;
      if (this.#closing === null && this.#failure === null) this.#membersChanged();
    });
  }

  #membersChanged(): void {
    this.#publisher.wake();
    this.#followPeers();
    this.#host.judgePeers();
    const members = this.members();
    const text = members.map(({ id, address, role }) => `${id} ${address} ${role}`).join('\n');
    if (text !== this.#members) {
      this.#members = text;
      this.#events.emit('membership', { members });
    }
  }

  /** The host dials, and lets in, whom the group knows. */
  #followPeers(): void {
    const { configuration } = this.#adapter;
    const members = membersOf(configuration);
    let news = false;
    for (const id of members) {
      const address = this.#addressOf(id);
      if (id === this.id || address === null || this.#told.get(id) === formatAddress(address)) continue;
      this.#told.set(id, formatAddress(address));
      this.#host.setPeer(id, address);
      news = true;
    }
    for (const id of configuration.removed) {
      if (members.includes(id) || !this.#told.delete(id)) continue;
      this.#host.removePeer(id);
      news = true;
    }
    if (news) this.#book.remember(new Map([...this.#told].map(([id, text]) => [id, parseAddress(text)])));
  }

  #addressOf(id: NodeId): Address | null {
    const known = {
      adapter: this.#adapter,
      book: this.#book,
      options: this.#options,
      directory: this.#directory,
    };
    return addressOf(known, id);
  }

  /**
   * Stops this replica because of a fault of its platform: for those who bring a platform of their own, whose tasks and
   * callbacks may fail.
   */
  fail(error: unknown): void {
    const cause = error instanceof Error ? error : new FlotillaError('FLOTILLA_ASSERTION', messageOf(error));
    if (this.#failure !== null || this.#closing !== null) return;
    this.#platform.log.error('this replica stops', { reason: cause.message });
    this.#host.close().catch(() => undefined);
    this.#failed(cause);
  }

  #failed(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#publisher.stop();
    this.#events.emit('fatal', error);
  }

  #requireOpen(): void {
    if (this.#closing !== null) {
      throw new FlotillaError('FLOTILLA_REPLICA_CLOSED', 'this replica was closed before the call');
    }
    if (this.#failure !== null) {
      const message = `this replica had stopped before the call: ${this.#failure.message}`;
      throw new FlotillaError('FLOTILLA_REPLICA_CLOSED', message, { cause: this.#failure });
    }
  }

  #requireMember(): void {
    this.#requireOpen();
    if (!this.#removed) return;
    throw new FlotillaError('FLOTILLA_REMOVED', `member ${this.id} was removed from the group`);
  }

  readonly #handler: StateAdapterHandler = {
    membersChanged: () => this.#membersSoon(),
    snapshot: (origin, { index, term }, sizeBytes) => {
      if (origin === 'taken') this.#counts.snapshotsTaken += 1;
      else this.#counts.snapshotsInstalled += 1;
      this.#counts.snapshotFileBytes += sizeBytes;
      this.#events.emit('snapshot', { origin, index, term, sizeBytes });
    },
    failed: (error) => this.fail(error),
  };
}

interface Parts<Machine extends ReplicaStateMachine<unknown>> extends Known {
  readonly platform: Platform;
  readonly machine: Machine;
  readonly adapter: StateAdapter<ResultOf<Machine>>;
  readonly files: SnapshotFiles;
  readonly host: Host;
  readonly group: Group<Applied<ResultOf<Machine>>>;
}

/** Where addresses are known from. */
interface Known {
  readonly options: ResolvedOptions;
  readonly directory: DataDirectory;
  readonly adapter: StateAdapter<unknown>;
  readonly book: AddressBook;
}

/** What the group says counts; where it says nothing, what this member was told at this start, before, or at its first. */
function addressOf({ options, directory, adapter, book }: Known, id: NodeId): Address | null {
  const logged = adapter.members.get(id)?.address ?? null;
  return logged ?? options.peers.get(id) ?? book.get(id) ?? directory.identity.peers.get(id) ?? null;
}

/** Whom the host may meet from the start on. */
function peersOf(known: Known): ReadonlyMap<NodeId, Address> {
  const { options, directory, adapter, book } = known;
  const given = [...options.peers.keys(), ...directory.identity.peers.keys()] as NodeId[];
  const peers = new Map<NodeId, Address>();
  for (const id of new Set([...given, ...adapter.members.ids, ...book.ids])) {
    const address = addressOf(known, id);
    if (address !== null && !adapter.configuration.removed.includes(id)) peers.set(id, address);
  }
  return peers;
}

/** Takes what the state adapter tells before there is a replica to tell it to: a failure must not be lost. */
class EarlyHandler implements StateAdapterHandler {
  #failure: { readonly error: unknown } | null = null;
  #handler: StateAdapterHandler | null = null;

  attach(handler: StateAdapterHandler): void {
    this.#handler = handler;
    if (this.#failure !== null) handler.failed(this.#failure.error);
  }

  membersChanged(): void {
    this.#handler?.membersChanged();
  }

  snapshot(...event: Parameters<StateAdapterHandler['snapshot']>): void {
    this.#handler?.snapshot(...event);
  }

  failed(error: unknown): void {
    this.#failure ??= { error };
    this.#handler?.failed(error);
  }
}

function isList(changes: MemberChange | readonly MemberChange[]): changes is readonly MemberChange[] {
  return Array.isArray(changes);
}
