import type { CoreConfig, HardState, LogRead, NodeId, PeerMessage, Ref, Settlement } from './types.ts';
import type { SnapshotSend, Term, WriteSequence } from './types.ts';

type Forwarded = Extract<PeerMessage, { type: 'propose' }>;

interface HeldMessage {
  readonly after: WriteSequence;
  readonly message: PeerMessage;
}

/**
 * What leaves a core with the next drain, sorted by what it has to wait for. Votes and answers promise something that
 * must survive a crash, so they wait for the newest write that is not durable; all else may leave at once.
 */
export class Outbox {
  #send: PeerMessage[] = [];
  /** Wait for everything that this drain writes, and for earlier writes. */
  #promises: PeerMessage[] = [];
  /** Promises that no write of their own drain carries, but that an earlier write is still on its way for. */
  readonly #held: HeldMessage[] = [];
  #settle: Settlement[] = [];
  #readLog: LogRead[] = [];
  #sendSnapshot: SnapshotSend[] = [];
  /** The batch of forwarded proposals that can still take one more. */
  #forwardedPayloads: Uint8Array[] | null = null;
  #forwarded: Forwarded | null = null;
  #forwardedBytes = 0;

  get empty(): boolean {
    return (
      this.#send.length === 0 &&
      this.#promises.length === 0 &&
      this.#settle.length === 0 &&
      this.#readLog.length === 0 &&
      this.#sendSnapshot.length === 0
    );
  }

  send(message: PeerMessage): void {
    this.#send.push(message);
  }

  promise(message: PeerMessage): void {
    this.#promises.push(message);
  }

  settle(settlement: Settlement): void {
    this.#settle.push(settlement);
  }

  readLog(read: LogRead): void {
    this.#readLog.push(read);
  }

  sendSnapshot(to: NodeId, term: Term, session: number, index: SnapshotSend['index']): void {
    this.#sendSnapshot.push({ to, term, session, index, position: this.#send.length });
  }

  /** Forwards a proposal; those of one drain to one leader share a message. */
  forward(payload: Uint8Array, from: NodeId, to: NodeId, term: Term, config: CoreConfig): void {
    const open = this.#forwarded;
    const fits =
      open !== null &&
      open.to === to &&
      open.term === term &&
      this.#forwardedBytes + payload.length <= config.maxMessageBytes;
    if (fits && this.#forwardedPayloads !== null) {
      this.#forwardedPayloads.push(payload);
      this.#forwardedBytes += payload.length;
      return;
    }
    this.#forwardedPayloads = [payload];
    this.#forwarded = { type: 'propose', from, to, term, kind: 'command', payloads: this.#forwardedPayloads };
    this.#forwardedBytes = payload.length;
    this.#send.push(this.#forwarded);
  }

  refuse(ref: Ref, reason: Extract<Settlement, { type: 'refused' }>['reason']): void {
    this.#settle.push({ type: 'refused', ref, reason });
  }

  takeSend(): readonly PeerMessage[] {
    this.#forwarded = null;
    this.#forwardedPayloads = null;
    const taken = this.#send;
    if (taken.length > 0) this.#send = [];
    return taken;
  }

  takePromises(): readonly PeerMessage[] {
    const taken = this.#promises;
    if (taken.length > 0) this.#promises = [];
    return taken;
  }

  takeSettle(): readonly Settlement[] {
    const taken = this.#settle;
    if (taken.length > 0) this.#settle = [];
    return taken;
  }

  takeReadLog(): readonly LogRead[] {
    const taken = this.#readLog;
    if (taken.length > 0) this.#readLog = [];
    return taken;
  }

  takeSendSnapshot(): readonly SnapshotSend[] {
    const taken = this.#sendSnapshot;
    if (taken.length > 0) this.#sendSnapshot = [];
    return taken;
  }

  /** Keeps promises until the write `after` is durable. */
  hold(messages: readonly PeerMessage[], after: WriteSequence): void {
    for (const message of messages) this.#held.push({ after, message });
  }

  release(durable: WriteSequence): void {
    const held = this.#held;
    let done = 0;
    while (done < held.length && (held[done] as HeldMessage).after <= durable) {
      this.#send.push((held[done] as HeldMessage).message);
      done += 1;
    }
    if (done > 0) held.splice(0, done);
  }
}

/** Whether a crash between these two states could forget a term or a vote. */
export function mustSyncHardState(from: HardState, to: HardState): boolean {
  return from.term !== to.term || from.vote !== to.vote;
}
