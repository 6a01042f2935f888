import type { KvClient } from '../kv-client.ts';

export interface ShardedLabOptions {
  /** Of nodes that hold the same shards, numbered from 1: whole servers of the courses' tests. */
  readonly groups: number;
  /** As a rule three. */
  readonly nodesOfAGroup?: number;
  /** Of clients' keys; the keys of each begin with a letter of its own, see {@link ShardedLab.keyOf}. */
  readonly shards: number;
  /** The courses' unreliable network. */
  readonly unreliable?: boolean;
  /** Entries after which a shard's log is compacted; null: never in such a run. */
  readonly snapshotEvery?: number | null;
}

/** Who serves what, at one number. */
export interface LabConfiguration {
  readonly number: number;
  /** Groups that have joined, in order. */
  readonly groups: readonly number[];
  /** By shard, the group that has it; null: none has, or not only one. */
  readonly shards: readonly (number | null)[];
}

/** Something that was asked of the cluster, in the words of the courses or beyond them. */
export interface LabChange {
  /** It is carried out, to its end. */
  readonly isDone: boolean;
  /** Why it never will be, as the cluster said. */
  readonly refused: string | null;
  /** Whether the cluster knows what is wanted, and needs nobody to say it again. Not known of every change. */
  readonly isTaken?: boolean;
}

/** A node of a group, or of those that only order. */
export interface LabNode {
  readonly name: string;
  /** 0: it only orders. */
  readonly group: number;
}

/**
 * A sharded cluster in the vocabulary of the courses' harnesses: what a simulated or a real one must be able to do for
 * scenarios 49 to 67. Three nodes have no shards of clients and are always there; they and some others order, so that
 * the loss of a whole group stops nobody else. Always checked, whatever the script does: what clients saw was
 * linearizable, versions included; all replicas of a shard hold the same; no key is lost, and none is served by two.
 */
export interface ShardedLab {
  readonly now: number;
  sleep(durationMs: number): void;
  /** Whether it came true in time. */
  until(durationMs: number, condition: () => boolean): boolean;
  /** Waits, and measures how long. Fails when it lasts longer than `limitMs`. */
  within(what: string, limitMs: number, condition: () => boolean): void;
  /** A whole number in [0, bound). */
  draw(bound: number, label: string): number;
  /** Keeps the worst value of its kind; one over the limit fails the run. */
  measure(what: string, value: number, limit: number, unit: string): void;
  expect(fine: boolean, message: string): void;

  readonly shards: number;
  /** A key of the shard; equal names are equal keys. */
  keyOf(shard: number, name?: string): string;

  /** Starts every node and waits until every shard serves; it is with one of these groups, as many with each. */
  boot(joined: readonly number[]): void;
  /** With everything healed: replicas of a shard are equal, and what clients saw is judged. */
  finish(): void;

  // The courses' operations, through the node, or any. The same change may be asked for by several at once.
  join(groups: readonly number[], through?: LabNode): LabChange;
  leave(groups: readonly number[], through?: LabNode): LabChange;
  move(shard: number, group: number, through?: LabNode): LabChange;
  /** The latest, or of that number, as the node has it, or any; null: nobody answers within 5 s. */
  query(number?: number, through?: LabNode): LabConfiguration | null;

  // Beyond them.
  split(key: string, through?: LabNode): LabChange;
  /** The part of the key space behind this key goes back to what is before it. */
  merge(key: string, through?: LabNode): LabChange;
  /** Whether no change is under way, and every replica is where it should be. */
  readonly isSettled: boolean;
  /** What somebody has asked for comes once more, from the beginning, as if it had been late: all of it. */
  replayChanges(): void;

  // Faults.
  nodes(group: number): readonly LabNode[];
  /** Who decides what is next; null: nobody does just now. */
  readonly controller: LabNode | null;
  crash(nodes: readonly LabNode[]): void;
  /** Starts those that are down. */
  start(nodes: readonly LabNode[]): void;
  /** These hear each other and nobody else, not even clients; none: everybody hears everybody. */
  cutOff(nodes: readonly LabNode[]): void;

  /**
   * Hands a write of this shard to this node past all routing, as somebody would who has an old configuration. Whether it
   * was refused, and left nothing behind. Only where nodes can be asked from inside.
   */
  refuses?(shard: number, through: LabNode): boolean;

  /** Live bytes of logs and states, over all nodes of groups; not what the cluster keeps of itself. */
  readonly storedBytes: number;

  /** Begins a client; its code runs while the script lets time pass. */
  client(body: (client: KvClient) => Promise<void>): KvClient;
  /** Every client has come to its end. */
  clientsEnd(limitMs?: number): void;
}

/** One of the courses' tests of a sharded service. */
export interface ShardedScenario {
  /** Its number in the catalogue, and which form of it. */
  readonly number: string;
  /** What happens, and the threshold. */
  readonly title: string;
  readonly options: ShardedLabOptions;
  readonly play: (lab: ShardedLab) => void;
}
