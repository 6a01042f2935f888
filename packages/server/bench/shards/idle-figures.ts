export const idleMembers = 3;

/** Of the process that idles. */
export interface IdlePlan {
  readonly directory: string;
  readonly basePort: number;
  readonly shards: number;
  /** Of each of its rounds. */
  readonly idleSeconds: number;
}

export interface IdleFigures {
  /** Heap and external memory after a collection, but for what there was with one shard. */
  readonly bytes: number;
  /** Of one core, all members together. */
  readonly cpuPercent: number;
  readonly cpuPercentOfOneShard: number;
  readonly messagesPerSecond: number;
  readonly ticksPerSecond: number;
  readonly secondsToSplit: number;
}
