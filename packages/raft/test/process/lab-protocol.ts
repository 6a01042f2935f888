/** What the test tells a member process to be. */
export interface LabMemberOptions {
  readonly id: number;
  readonly directory: string;
  /** Where every member listens, as this one sees it: through the proxies of the test. */
  readonly peers: Readonly<Record<number, string>>;
  readonly listen: string;
  readonly snapshotEvery: number;
}

export interface LabState {
  readonly values: readonly number[];
  /** Snapshots taken in: at start, or from a peer. */
  readonly restored: number;
}

export interface LabStatus {
  readonly role: string;
  readonly term: number;
  /** Null: none known. */
  readonly leader: number | null;
  readonly lastIndex: number;
}

/** What may be asked of a member process, over the channel that `fork` gives. */
export type LabQuestion =
  | { readonly type: 'propose'; readonly value: number; readonly timeoutMs: number }
  | { readonly type: 'read'; readonly timeoutMs: number }
  | { readonly type: 'state' }
  | { readonly type: 'status' };

export interface LabCall {
  readonly call: number;
  readonly question: LabQuestion;
}

export interface LabReply {
  readonly call: number;
  readonly answer: unknown;
  /** The stable code of an error, instead of an answer. */
  readonly code: string | null;
}
