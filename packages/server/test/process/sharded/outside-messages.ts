import type { Metadata } from '@flotilla/wire';
import type { ClusterSight } from './cluster-sight.ts';

/** How the courses' networks are, between members. */
export type NetworkKind = 'reliable' | 'unreliable';

export interface StartOptions {
  readonly members: number;
  readonly flags: readonly string[];
  readonly network: NetworkKind;
}

/** What a script asks of the thread that has the processes and the sockets. Members are named by their indexes. */
export type Command =
  | { readonly kind: 'begin'; readonly options: StartOptions }
  | { readonly kind: 'kill'; readonly members: readonly number[] }
  | { readonly kind: 'start'; readonly members: readonly number[] }
  /** These hear each other, and the others each other. */
  | { readonly kind: 'cut'; readonly members: readonly number[] }
  | { readonly kind: 'network'; readonly network: NetworkKind }
  /** Every member tells the same, and holds nothing unfinished. */
  | { readonly kind: 'judge'; readonly withinMs: number }
  | { readonly kind: 'remove' };

export type ToOutside =
  | { readonly id: number; readonly kind: 'command'; readonly command: Command }
  | ({ readonly id: number; readonly kind: 'unary'; readonly frame: Uint8Array } & Call)
  | ({ readonly id: number; readonly kind: 'stream' } & Call)
  | { readonly id: number; readonly kind: 'write'; readonly message: Uint8Array }
  | { readonly id: number; readonly kind: 'end' | 'cancel' };

export interface Call {
  readonly member: number;
  readonly path: string;
  readonly timeoutMs: number | null;
  readonly metadata: Metadata;
}

export type FromOutside =
  /** What was ordered is done; `message` null: well. */
  | { readonly id: number; readonly kind: 'done'; readonly message: string | null }
  | { readonly id: number; readonly kind: 'answer'; readonly bytes: Uint8Array }
  /** Of a stream. */
  | { readonly id: number; readonly kind: 'message'; readonly bytes: Uint8Array }
  | { readonly id: number; readonly kind: 'over' }
  | { readonly id: number; readonly kind: 'failed'; readonly status: number; readonly message: string }
  /** Something that nobody asked for. */
  | { readonly id: 0; readonly kind: 'sight'; readonly sight: ClusterSight };

/** What the thread is given when it is made. */
export interface OutsideData {
  readonly port: unknown;
  /** Counts what it has said, so that who waits wakes up. */
  readonly said: Int32Array;
}
