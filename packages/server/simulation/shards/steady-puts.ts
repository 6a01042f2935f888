import { noOrigin, type ShardId } from '@flotilla/store';
import { PutRequest } from '@flotilla/wire';
import type { SimNode } from '@flotilla/sim';
import { bytesOf } from '../cluster/etcd-messages.ts';
import type { ShardLab } from './shard-lab.ts';

const everyMs = 10;
const timeoutMs = 30_000;

interface Answer {
  readonly askedMs: number;
  readonly tookMs: number;
}

/**
 * Puts to keys of one shard, one each ten milliseconds of the simulation, to every member in turn. What processors take is
 * nothing there: a put that takes long has waited for somebody.
 */
export class SteadyPuts {
  readonly #lab: ShardLab;
  readonly #keys: readonly string[];
  readonly #answers: Answer[] = [];
  readonly #failures: unknown[] = [];
  #asked = 0;
  #stopped = false;

  constructor(lab: ShardLab, keys: readonly string[]) {
    this.#lab = lab;
    this.#keys = keys;
    this.#next();
  }

  /** Of those that were asked for since; in milliseconds. */
  longestSince(sinceMs: number): number {
    return Math.max(...this.#answers.filter(({ askedMs }) => askedMs >= sinceMs).map(({ tookMs }) => tookMs));
  }

  /** When all have been answered. */
  stop(): void {
    this.#stopped = true;
    const ended = (): number => this.#answers.length + this.#failures.length;
    this.#lab.until('answers', () => ended() === this.#asked, timeoutMs);
    if (this.#failures.length > 0) throw this.#failures[0] as Error;
  }

  #next(): void {
    const { world, nodes } = this.#lab;
    const index = this.#asked % nodes.length;
    const ask = (): void => {
      if (this.#stopped) return;
      this.#put(index, this.#keys[this.#asked % this.#keys.length] as string);
      this.#next();
    };
    world.after(everyMs, ask, (nodes[index] as SimNode).life);
  }

  #put(index: number, key: string): void {
    const askedMs = this.#lab.world.now;
    this.#asked += 1;
    const request = PutRequest.encode(PutRequest.create({ key: bytesOf(key), value: bytesOf('steady') }));
    this.#lab
      .member(index)
      .backend.write('put', request, noOrigin)
      .then(
        () => this.#answers.push({ askedMs, tookMs: this.#lab.world.now - askedMs }),
        (error: unknown) => this.#failures.push(error),
      );
  }
}

/** Who has replicas of a shard: the node that leads it, the others, and those that have none. */
export function placesOf(
  lab: ShardLab,
  shard: ShardId,
): { readonly leader: number; readonly followers: readonly number[]; readonly free: readonly number[] } {
  const nodes = lab.order().map.row(shard)?.nodes ?? [];
  const leader = lab.leaderOf(shard)?.shards.nodeId ?? 0;
  const all = lab.members.map((_, i) => lab.nodeId(i) as number);
  return {
    leader,
    followers: nodes.filter((node) => node !== leader),
    free: all.filter((node) => !nodes.includes(node)),
  };
}
