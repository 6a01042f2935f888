import { assert, unreachable } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { ApplyQueue } from './apply-queue.ts';
import {
  handleVoteRequest,
  handleVoteResponse,
  isSticky,
  learnCommit,
  ownVoteDurable,
  refuseStalePreVote,
  startCampaign,
} from './election.ts';
import { answerStaleLeader, handleAppend, handleHeartbeat, handleSnapshot } from './following.ts';
import { peerAlive, peerSilent, tick, wantsTicks } from './liveness.ts';
import { mustSyncHardState } from './outbox.ts';
import { handleForwarded, propose } from './proposing.ts';
import { changeMembership, leaveJointIfDue, retireIfKnown } from './reconfiguring.ts';
import {
  confirmReads,
  handleReadIndex,
  handleReadIndexResponse,
  read,
  readRoundDue,
  sendHeartbeat,
  startReadRound,
} from './reading.ts';
import {
  broadcastAppend,
  flushBroadcast,
  handleAppendResponse,
  handleHeartbeatResponse,
  handleSnapshotSent,
  handleUnreachable,
  ownEntriesDurable,
  peerLogRead,
} from './replication.ts';
import { CoreState, nobody } from './state.ts';
import { continueTransfer, resign, transferTo } from './transferring.ts';
import { View } from './view.ts';
import type {
  CoreConfig,
  CoreView,
  Effects,
  HardState,
  Input,
  NodeId,
  PeerMessage,
  RaftCore,
  Restored,
  RoleChange,
  Write,
  WriteSequence,
} from './types.ts';

/**
 * Makes the consensus core of one member of one group, from what its log gave back. `random` decides nothing but
 * when elections are tried.
 *
 * @example
 * const core = createCore(config, restored, platform.random.fork('raft'));
 * core.step({ type: 'tick' });
 * const effects = core.drain();
 */
export function createCore(config: CoreConfig, restored: Restored, random: Random): RaftCore {
  return new Core(new CoreState(config, restored, random));
}

/**
 * A core together with its state, for replays of other implementations' scripts: they set and look at what no input or
 * view reaches (an election time-out, say).
 */
export function createOpenCore(
  config: CoreConfig,
  restored: Restored,
  random: Random,
): { readonly core: RaftCore; readonly state: CoreState } {
  const state = new CoreState(config, restored, random);
  return { core: new Core(state), state };
}

type VoteRequest = Extract<PeerMessage, { type: 'vote' | 'pre-vote' }>;

interface HardStateOnItsWay {
  readonly sequence: WriteSequence;
  readonly hardState: HardState;
}

class Core implements RaftCore {
  readonly #state: CoreState;
  readonly #applies: ApplyQueue;
  readonly #view: View;
  #sequence = 0 as WriteSequence;
  /** The newest write that promises depend on. */
  #lastSynced = 0 as WriteSequence;
  #durableSequence = 0 as WriteSequence;
  #writtenHardState: HardState;
  #durableHardState: HardState;
  readonly #hardStatesOnTheirWay: HardStateOnItsWay[] = [];
  #reportedRole: RoleChange;

  constructor(state: CoreState) {
    this.#state = state;
    this.#applies = new ApplyQueue(state);
    this.#view = new View(state);
    this.#writtenHardState = state.hardState;
    this.#durableHardState = state.hardState;
    this.#reportedRole = { role: state.role, term: state.term, leader: state.leader };
  }

  get ready(): boolean {
    const { outbox, log, reads } = this.#state;
    return (
      !outbox.empty ||
      log.needsWrite ||
      this.#hardStateChanged ||
      this.#roleChanged ||
      this.#state.broadcastDue ||
      this.#applies.ready ||
      (reads.waiting > 0 && readRoundDue(this.#state))
    );
  }

  get wantsTicks(): boolean {
    return wantsTicks(this.#state);
  }

  inspect(): CoreView {
    return this.#view;
  }

  step(input: Input): void {
    const state = this.#state;
    switch (input.type) {
      case 'receive':
        this.#receive(input.message);
        break;
      case 'tick':
        tick(state);
        break;
      case 'propose':
        propose(state, input.ref, input.payload);
        break;
      case 'read':
        read(state, input.ref, input.policy ?? 'read-index');
        break;
      case 'persisted':
        this.#persisted(input.upTo);
        break;
      case 'applied':
        this.#applies.applied(input.upTo);
        break;
      case 'log-read':
        if (!this.#applies.logRead(input.ref, input.result)) peerLogRead(state, input.ref, input.result);
        break;
      case 'campaign':
        startCampaign(state, state.config.preVote ? 'pre-election' : 'election');
        break;
      case 'change-membership':
        changeMembership(state, input.ref, input.change);
        break;
      case 'resign':
        resign(state);
        break;
      case 'transfer':
        this.#transfer(input.to);
        break;
      case 'forget-leader':
        // Who promised a lease keeps it.
        if (state.role === 'follower' && state.config.replay?.leaseByQuorumCheck !== true)
          state.leader = nobody;
        break;
      case 'snapshot-sent':
        handleSnapshotSent(state, input.to, input.ok);
        break;
      case 'compacted':
        state.log.compact(input.through);
        state.forgetConfigurations();
        break;
      case 'unreachable':
        handleUnreachable(state, input.peer);
        break;
      case 'peer-alive':
        peerAlive(state, input.peer, input.leadsTerm);
        break;
      case 'peer-silent':
        peerSilent(state, input.peer);
        break;
      default:
        unreachable(input);
    }
  }

  drain(): Effects {
    const state = this.#state;
    const { outbox } = state;
    if (state.broadcastDue) flushBroadcast(state);
    if (state.reads.waiting > 0 && readRoundDue(state)) startReadRound(state);
    const apply = this.#applies.take();
    const write = this.#takeWrite();
    return {
      send: outbox.takeSend(),
      write,
      apply,
      readLog: outbox.takeReadLog(),
      sendSnapshot: outbox.takeSendSnapshot(),
      settle: outbox.takeSettle(),
      role: this.#takeRole(),
    };
  }

  /** One record for everything that changed, and the promises that wait for it. */
  #takeWrite(): Write | null {
    const { log, outbox } = this.#state;
    const promises = outbox.takePromises();
    const hardStateChanged = this.#hardStateChanged;
    if (!log.needsWrite && !hardStateChanged) {
      this.#keepPromises(promises);
      return null;
    }
    const sequence = (this.#sequence + 1) as WriteSequence;
    this.#sequence = sequence;
    const { truncateFrom, entries, snapshot } = log.takeWrite(sequence);
    const hardState = hardStateChanged ? this.#state.hardState : null;
    const mustSync =
      entries.length > 0 ||
      truncateFrom !== null ||
      snapshot !== null ||
      (hardState !== null && mustSyncHardState(this.#writtenHardState, hardState));
    if (hardState !== null) {
      this.#writtenHardState = hardState;
      this.#hardStatesOnTheirWay.push({ sequence, hardState });
    }
    if (mustSync) this.#lastSynced = sequence;
    else this.#keepPromises(promises);
    const thenSend = mustSync ? promises : [];
    return { sequence, truncateFrom, entries, hardState, snapshot, mustSync, thenSend };
  }

  /** This drain writes nothing that they depend on; an earlier write may still be on its way. */
  #keepPromises(promises: readonly PeerMessage[]): void {
    if (this.#lastSynced > this.#durableSequence) this.#state.outbox.hold(promises, this.#lastSynced);
    else for (const promise of promises) this.#state.outbox.send(promise);
  }

  #persisted(upTo: WriteSequence): void {
    assert(upTo <= this.#sequence, 'only what was asked for becomes durable');
    if (upTo <= this.#durableSequence) return;
    const state = this.#state;
    this.#durableSequence = upTo;
    state.log.persisted(upTo);
    const onTheirWay = this.#hardStatesOnTheirWay;
    while (onTheirWay.length > 0 && (onTheirWay[0] as HardStateOnItsWay).sequence <= upTo) {
      this.#durableHardState = (onTheirWay.shift() as HardStateOnItsWay).hardState;
    }
    state.outbox.release(upTo);
    const { term, vote } = this.#durableHardState;
    if (state.role === 'leader') ownEntriesDurable(state);
    else if (state.role === 'candidate' && term === state.term && vote === state.id) ownVoteDurable(state);
  }

  #transfer(to: NodeId): void {
    const state = this.#state;
    if (state.role === 'leader') {
      transferTo(state, to);
    } else if (state.leader !== nobody) {
      const { id, leader, term } = state;
      state.outbox.send({ type: 'transfer-leader', from: id, to: leader, term, transferee: to });
    }
  }

  #receive(message: PeerMessage): void {
    const state = this.#state;
    // A late message can only mean the member that it names.
    if (message.to !== state.id || message.from === state.id) return;
    if (message.type === 'vote-response' || message.type === 'pre-vote-response') learnCommit(state, message);
    if (message.term > state.term) {
      if (!this.#meetsLaterTerm(message)) return;
    } else if (message.term < state.term) {
      this.#meetsEarlierTerm(message);
      return;
    }
    this.#dispatch(message);
  }

  /** False: the message is to be ignored. */
  #meetsLaterTerm(message: PeerMessage): boolean {
    const state = this.#state;
    switch (message.type) {
      case 'pre-vote':
        if (isSticky(state, message)) return this.#sayWhoLeads(message);
        // It is only a question: nobody's term changes for it.
        return true;
      case 'vote':
        if (isSticky(state, message)) return this.#sayWhoLeads(message);
        if (state.log.isUpToDate(message.lastIndex, message.lastTerm)) {
          state.becomeFollower('higher-term', message.term, nobody);
        } else state.adoptTerm(message.term);
        return true;
      case 'pre-vote-response':
        // A grant names the term that was asked about; a refusal the other one's own.
        if (!message.granted) state.becomeFollower('higher-term', message.term, nobody);
        return true;
      case 'append':
      case 'heartbeat':
      case 'install-snapshot':
        state.becomeFollower('higher-term', message.term, message.from);
        return true;
      case 'append-response':
      case 'heartbeat-response':
      case 'vote-response':
      case 'propose':
      case 'read-index':
      case 'read-index-response':
      case 'transfer-leader':
      case 'timeout-now':
        state.becomeFollower('higher-term', message.term, nobody);
        return true;
      default:
        return unreachable(message);
    }
  }

  /**
   * A leader that ignores a candidate tells it that it leads. With ticks its next heartbeat does; without them a
   * member that lost its leader would stay alone until the next write. One of a later term answers with it, and the
   * leader steps down for an election that everybody takes part in.
   */
  #sayWhoLeads(message: VoteRequest): false {
    const state = this.#state;
    const progress = state.progress.get(message.from);
    if (progress !== undefined && state.config.liveness === 'peers') sendHeartbeat(state, progress);
    return false;
  }

  #meetsEarlierTerm(message: PeerMessage): void {
    const state = this.#state;
    const { preVote, checkQuorum, replay } = state.config;
    switch (message.type) {
      case 'append':
      case 'heartbeat':
        // (etcd-io/raft leaves it at that without pre-vote and quorum checks: somebody will campaign. A learner, or
        // a member that was removed in an election of its own, never does.)
        if (preVote || checkQuorum || replay === undefined) answerStaleLeader(state, message);
        break;
      case 'pre-vote':
        refuseStalePreVote(state, message.from);
        break;
      case 'install-snapshot':
        this.#installSnapshot(message);
        break;
      case 'read-index':
        // Asked of a leader, whichever term the asker knows.
        handleReadIndex(state, message);
        break;
      case 'vote':
      case 'vote-response':
      case 'pre-vote-response':
      case 'append-response':
      case 'heartbeat-response':
      case 'propose':
      case 'read-index-response':
      case 'transfer-leader':
      case 'timeout-now':
        // Of a leadership or a campaign that is over.
        break;
      default:
        unreachable(message);
    }
  }

  #dispatch(message: PeerMessage): void {
    const state = this.#state;
    switch (message.type) {
      case 'append':
        this.#followLeader(message.from);
        handleAppend(state, message);
        break;
      case 'append-response':
        if (state.role !== 'leader') break;
        if (handleAppendResponse(state, message)) continueTransfer(state, message.from);
        if (state.retiresAfter !== null) retireIfKnown(state);
        break;
      case 'heartbeat':
        this.#followLeader(message.from);
        handleHeartbeat(state, message);
        break;
      case 'heartbeat-response':
        if (state.role !== 'leader') break;
        handleHeartbeatResponse(state, message.from);
        confirmReads(state, message.from, message.readSequence);
        break;
      case 'install-snapshot':
        this.#followLeader(message.from);
        this.#installSnapshot(message);
        break;
      case 'pre-vote':
      case 'vote':
        handleVoteRequest(state, message);
        break;
      case 'pre-vote-response':
      case 'vote-response':
        if (state.role === 'candidate' || state.role === 'pre-candidate') handleVoteResponse(state, message);
        break;
      case 'propose':
        handleForwarded(state, message);
        break;
      case 'read-index':
        handleReadIndex(state, message);
        break;
      case 'read-index-response':
        handleReadIndexResponse(state, message);
        break;
      case 'transfer-leader':
        if (state.role === 'leader') transferTo(state, message.transferee);
        break;
      case 'timeout-now':
        // A transfer needs no pre-vote: the leader itself has asked for the election.
        if (state.role === 'follower' && state.restTicks === 0) startCampaign(state, 'transfer');
        break;
      default:
        unreachable(message);
    }
  }

  /** A message that only the leader of the present term sends. */
  #followLeader(from: NodeId): void {
    const state = this.#state;
    assert(state.role !== 'leader', () => `I1: ${from} and ${state.id} both lead in term ${state.term}`);
    if (state.role !== 'follower') {
      state.becomeFollower('leader-seen', state.term, from);
      return;
    }
    state.electionElapsed = 0;
    state.leader = from;
    state.calledUpon = false;
  }

  #installSnapshot(message: Extract<PeerMessage, { type: 'install-snapshot' }>): void {
    const state = this.#state;
    const before = state.log.commit;
    handleSnapshot(state, message);
    this.#applies.overtaken();
    if (state.role === 'leader' && state.log.commit > before) broadcastAppend(state);
    leaveJointIfDue(state);
  }

  get #hardStateChanged(): boolean {
    const { term, vote, log } = this.#state;
    const written = this.#writtenHardState;
    return term !== written.term || vote !== written.vote || log.commit !== written.commit;
  }

  get #roleChanged(): boolean {
    const { role, term, leader } = this.#state;
    const reported = this.#reportedRole;
    return role !== reported.role || term !== reported.term || leader !== reported.leader;
  }

  #takeRole(): RoleChange | null {
    if (!this.#roleChanged) return null;
    const { role, term, leader } = this.#state;
    this.#reportedRole = { role, term, leader };
    return this.#reportedRole;
  }
}
