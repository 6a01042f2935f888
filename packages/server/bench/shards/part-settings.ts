/** What every part is given; what is not said has its own usual value. */
export interface PartSettings {
  readonly directory: string;
  readonly basePort: number;
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
  /** Of steady load: puts a second in one shard. */
  readonly rate: number;
  /** Names of workloads; empty: all. */
  readonly only: readonly string[];
  /** Of the idle part. */
  readonly shards: number;
  /** Of each of its rounds. */
  readonly idleSeconds: number;
}
