import type { FaultRecord } from '../fault-log.ts';
import type { Violation } from '../world.ts';

/** What a run did, for a person to look at. Plain data, in time order within each list; times in simulated ms. */
export interface Trace {
  readonly endMs: number;
  readonly nodes: readonly string[];
  readonly lives: readonly LifeSpan[];
  readonly pauses: readonly PauseSpan[];
  readonly cuts: readonly CutSpan[];
  readonly messages: readonly MessageRecord[];
  readonly syncs: readonly SyncRecord[];
  readonly timers: readonly TimerRecord[];
  readonly lines: readonly LineRecord[];
  readonly states: readonly StateRecord[];
  readonly operations: readonly OperationRecord[];
  readonly marks: readonly MarkRecord[];
  readonly faults: readonly FaultRecord[];
  readonly violation: Violation | null;
  /** By list: how many of its oldest records were given up for the bound. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** From a start of a process to its end; null: it runs still. */
export interface LifeSpan {
  readonly node: string;
  /** From 1 per node. */
  readonly number: number;
  readonly fromMs: number;
  toMs: number | null;
  /** How it ended. */
  ending: LifeEnding | null;
}

export type LifeEnding = 'crash' | 'power cut' | 'exit';

export interface PauseSpan {
  readonly node: string;
  readonly fromMs: number;
  toMs: number | null;
}

/** A time in which nothing passes from one node to another; the way back is a span of its own. */
export interface CutSpan {
  readonly from: string;
  readonly to: string;
  readonly fromMs: number;
  toMs: number | null;
}

export interface MessageRecord {
  readonly from: string;
  readonly to: string;
  readonly sentMs: number;
  /** When it would arrive if nothing came in between. */
  readonly dueMs: number;
  /** Null: it never arrived. */
  arrivedMs: number | null;
  /** After how many bytes it was first handed over in pieces; null: it was not. */
  splitAtBytes: number | null;
  readonly sizeBytes: number;
  /** What it is, when the scenario can tell. */
  readonly label: string | null;
  /** One more copy of a message that was sent before. */
  readonly again?: boolean;
}

export interface SyncRecord {
  readonly node: string;
  readonly what: string;
  readonly fromMs: number;
  toMs: number | null;
  failed: boolean;
}

export interface TimerRecord {
  readonly node: string;
  readonly timeMs: number;
  readonly label: string;
}

/** What a node said: its log, and its other trace events. */
export interface LineRecord {
  readonly node: string;
  readonly timeMs: number;
  readonly level: string;
  readonly text: string;
}

/** What a node was from here on, as the scenario describes it. */
export interface StateRecord {
  readonly node: string;
  readonly timeMs: number;
  readonly state: NodeState;
}

export type NodeState = Readonly<Record<string, string | number | boolean | null>>;

/** One call of a client, as the checker saw it. */
export interface OperationRecord {
  /** As the checker names it. */
  readonly id: number;
  readonly client: string;
  readonly calledMs: number;
  /** Null: nobody knows. */
  readonly endedMs: number | null;
  readonly outcome: 'returned' | 'failed' | 'unknown';
  readonly call: string;
  readonly result: string;
}

/** Something worth knowing that belongs to no node: a phase, a situation that a search wants to meet. */
export interface MarkRecord {
  readonly timeMs: number;
  readonly text: string;
}
