import type { Entry, LogRead, NodeId, PeerMessage, SnapshotSend, Term, WriteSequence } from '@flotilla/raft';

/** What happens to a cluster of cores, one at a time. */
export type CoreEvent = MemberEvent | WorldEvent;

/** `life`: of the member that it is meant for; an event of an earlier life means nothing. */
export type MemberEvent = { readonly to: NodeId; readonly life: number } & (
  | { readonly kind: 'message'; readonly message: PeerMessage; readonly sentMs: number }
  | { readonly kind: 'tick' }
  | { readonly kind: 'beat' }
  | { readonly kind: 'drain' }
  | { readonly kind: 'synced'; readonly upTo: WriteSequence }
  | { readonly kind: 'applied'; readonly entries: readonly Entry[] }
  | { readonly kind: 'log-read'; readonly read: LogRead }
  | { readonly kind: 'snapshot'; readonly from: NodeId; readonly send: SnapshotSend }
  | { readonly kind: 'snapshot-sent'; readonly peer: NodeId; readonly ok: boolean }
  | HeartbeatEvent
  | { readonly kind: 'reset'; readonly from: NodeId }
);

/** What one host tells another about itself. */
export interface HeartbeatEvent {
  readonly kind: 'alive';
  readonly from: NodeId;
  readonly leadsTerm: Term | null;
  readonly beat: number;
  readonly sentMs: number;
}

export type WorldEvent =
  | { readonly kind: 'propose' }
  | { readonly kind: 'read' }
  | { readonly kind: 'fault' }
  | { readonly kind: 'change' }
  | { readonly kind: 'call'; readonly run: () => void };
