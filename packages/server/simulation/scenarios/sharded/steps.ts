import type { KvClient } from '../kv-client.ts';
import type { LabChange, LabConfiguration, LabNode, ShardedLab } from './sharded-lab.ts';

/** The courses' numbers, where several scenarios have them. */
export const shardedLimits = {
  /** For a change that nothing is in the way of. */
  changeMs: 10_000,
  /** For a cluster that has lost its controller. */
  controllerMs: 5_000,
  /** How long their tests watch a request that must not be answered. */
  silenceMs: 2_000,
} as const;

const keysOfAReader = 30;

/** Waits for its end. */
export function done(lab: ShardedLab, what: string, change: LabChange): void {
  lab.within(what, shardedLimits.changeMs, () => change.isDone || change.refused !== null);
  lab.expect(change.refused === null, `${what} was refused: ${change.refused}`);
}

export function settled(lab: ShardedLab): void {
  lab.within('everything is where it should be', shardedLimits.changeMs, () => lab.isSettled);
}

export function configuration(lab: ShardedLab, number?: number, through?: LabNode): LabConfiguration {
  const found = lab.query(number, through);
  lab.expect(found !== null, `nobody told configuration ${number ?? 'of now'}`);
  return found as LabConfiguration;
}

/** As many shards with each group as with any other, but for one. */
export function isBalanced({ groups, shards }: LabConfiguration): boolean {
  const counts = groups.map((group) => shards.filter((holder) => holder === group).length);
  const isHeld = shards.every((holder) => holder !== null && groups.includes(holder));
  return isHeld && Math.max(...counts) <= Math.min(...counts) + 1;
}

/** Shards that another group has now. */
export function moved(before: LabConfiguration, after: LabConfiguration): readonly number[] {
  return before.shards.flatMap((holder, shard) => (holder === after.shards[shard] ? [] : [shard]));
}

export function allShards(lab: ShardedLab): readonly number[] {
  return Array.from({ length: lab.shards }, (_, shard) => shard);
}

/** Writes a value under each of these names, in one shard after the other. */
export function fill(lab: ShardedLab, names: readonly string[], valueBytes = 8): ReadonlyMap<string, string> {
  const written = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    const value = `${name}=${lab.draw(1_000_000, 'value')}`.padEnd(valueBytes, '.');
    written.set(lab.keyOf(i % lab.shards, name), value);
  }
  lab.client(async (client) => {
    for (const [key, value] of written) await client.put(key, value);
  });
  lab.clientsEnd();
  return written;
}

/** All of it is still there. Each reader has few keys: over a lossy network one would read for longer than it may take. */
export function verify(lab: ShardedLab, written: ReadonlyMap<string, string>): void {
  const all = [...written];
  for (let from = 0; from < all.length; from += keysOfAReader) {
    lab.client(async (client) => {
      for (const [key, value] of all.slice(from, from + keysOfAReader)) {
        const found = await client.get(key);
        lab.expect(found?.value === value, `${key} is ${found?.value ?? 'absent'} and not ${value}`);
      }
    });
  }
  lab.clientsEnd();
}

/** Clients that append to a key of each shard until they are told to stop; then nothing is lost, and nothing twice. */
export class Appenders {
  readonly #lab: ShardedLab;
  readonly #clients: readonly KvClient[];
  readonly #appended = new Map<string, string>();
  readonly #turn = { goesOn: true };

  constructor(lab: ShardedLab, count: number, thinkMs = 20) {
    this.#lab = lab;
    this.#clients = Array.from({ length: count }, (_, i) => {
      return lab.client(async (client) => {
        for (let turn = 0; this.#turn.goesOn; turn += 1) {
          const key = lab.keyOf((i + turn) % lab.shards, `appended by ${i}`);
          const text = `${i}.${turn};`;
          await client.append(key, text);
          this.#appended.set(key, (this.#appended.get(key) ?? '') + text);
          await client.sleep(thinkMs);
        }
      });
    });
  }

  /** Appends that were acknowledged. */
  get count(): number {
    return [...this.#appended.values()].reduce((sum, text) => sum + text.split(';').length - 1, 0);
  }

  stop(): void {
    this.#turn.goesOn = false;
    const ended = (): boolean => this.#clients.every((client) => client.finished);
    this.#lab.within('appenders end', shardedLimits.changeMs, ended);
    verify(this.#lab, this.#appended);
  }
}

/** Which of these keys can be read within the time. */
export function readable(lab: ShardedLab, keys: readonly string[], withinMs: number): ReadonlySet<string> {
  const read = new Set<string>();
  for (const key of keys) {
    lab.client(async (client) => {
      await client.read(key);
      read.add(key);
    });
  }
  lab.until(withinMs, () => read.size === keys.length);
  return new Set(read);
}

/** The courses' controller is in none of their groups: whose loss is looked at is another one than its own. */
export function groupWithoutController(lab: ShardedLab, groups: readonly number[]): number {
  const group = groups.find((each) => each !== lab.controller?.group);
  return group as number;
}
