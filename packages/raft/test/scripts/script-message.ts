import type { Configuration, Entry, PeerMessage, SnapshotMeta, WriteSequence } from '../../src/core/types.ts';

/** Where the scripts send what a member asks of its own disk and of its own state machine. */
export const appendThread = 'AppendThread';
export const applyThread = 'ApplyThread';

export type Address = number | typeof appendThread | typeof applyThread;

/** An entry as the scripts know it: membership changes are told apart by the form in which they were proposed. */
export interface ScriptEntry {
  readonly term: number;
  readonly index: number;
  readonly type: 'EntryNormal' | 'EntryConfChange' | 'EntryConfChangeV2';
  /** `"payload"`, or the changes as `v1 l2 r3 u4`. */
  readonly text: string;
}

export interface ScriptSnapshot {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

/** What happens when a message arrives. The text of a message is etcd's; what it does is ours. */
export type Delivery =
  /** From member to member: it goes to the core as it is. */
  | { readonly type: 'peer'; readonly message: PeerMessage }
  /** The member's own vote, or its own entries as a leader, are durable up to this write. */
  | { readonly type: 'own'; readonly sequence: WriteSequence }
  /** Only asked for; nothing is written. */
  | { readonly type: 'own-pre-vote' }
  /** What the append thread wrote is durable. */
  | { readonly type: 'stored'; readonly sequence: WriteSequence; readonly last: ScriptPosition | null }
  /** Handed to the append thread. */
  | { readonly type: 'store'; readonly work: StoreWork }
  /** Handed to the apply thread. */
  | { readonly type: 'apply'; readonly entries: readonly Entry[] }
  /** The apply thread is done. */
  | { readonly type: 'applied'; readonly entries: readonly Entry[] };

export interface ScriptPosition {
  readonly index: number;
  readonly term: number;
}

/** What one batch writes. */
export interface StoreWork {
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | null;
}

/** A message with the fields that the scripts print. */
export interface ScriptMessage {
  readonly from: Address;
  readonly to: Address;
  readonly type: string;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly rejected: boolean;
  readonly hint: number;
  readonly commit: number;
  readonly vote: number;
  readonly entries: readonly ScriptEntry[];
  readonly snapshot: ScriptSnapshot | null;
  readonly responses: readonly ScriptMessage[];
  readonly delivery: Delivery;
}

/** Fills in what is not given. */
export function scriptMessage(
  given: Pick<ScriptMessage, 'from' | 'to' | 'type' | 'delivery'> & Partial<ScriptMessage>,
): ScriptMessage {
  return {
    term: 0,
    logTerm: 0,
    index: 0,
    rejected: false,
    hint: 0,
    commit: 0,
    vote: 0,
    entries: [],
    snapshot: null,
    responses: [],
    ...given,
  };
}

/** Never leaves its member: it cannot be dropped. */
export function isLocal(message: ScriptMessage): boolean {
  return message.from === message.to || typeof message.from === 'string' || typeof message.to === 'string';
}
