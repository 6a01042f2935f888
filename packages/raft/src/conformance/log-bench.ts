import type { NodeId } from '../core/types.ts';
import type { OpenedLog } from '../log/types.ts';

/** Whose log it is. */
export interface LogIdentity {
  readonly clusterId: bigint;
  readonly nodeId: NodeId;
}

/** What a case does with the log that it is given. */
export interface LogBench {
  open(identity?: LogIdentity): Promise<OpenedLog>;
  /** Closes, and opens again. */
  reopen(): Promise<OpenedLog>;
  close(): Promise<void>;
  /** Crashes, and opens again. */
  crash(): Promise<OpenedLog>;
  failNextSync(): Promise<void>;
  damage(part: number): Promise<void>;
}

export type LogCases = Readonly<Record<string, (bench: LogBench) => Promise<void>>>;
