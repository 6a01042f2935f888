import { rmSync } from 'node:fs';
import { openHttp2Channel } from '@flotilla/wire/node';
import type { RpcChannel } from '@flotilla/wire';
import { Etcd } from '../../support/etcd.ts';
import { InProcessCluster } from '../../support/in-process.ts';
import type { ChurnReport } from '../../support/sharded/churning-shards.ts';
import {
  patientElections,
  type Topology,
  topology as topologyOfTests,
} from '../../support/sharded/topology.ts';
import { compareOutcomes, type Difference } from './compare.ts';
import { watchEndsWithPermission } from './known-differences.ts';
import { isRead, type Operation } from './operations.ts';
import { type Outcome, Side } from './side.ts';

export interface RunResult {
  /** What Flotilla's shards did meanwhile; null: it had one. */
  readonly churn?: ChurnReport | null;
  readonly difference: Difference | null;
  readonly operations: number;
  readonly errors: number;
  readonly events: number;
  readonly byMethod: ReadonlyMap<string, number>;
  readonly known: ReadonlyMap<string, number>;
}

/** Runs the operations on an empty etcd and an empty Flotilla, up to the first difference. */
export async function runPair(
  operations: readonly Operation[],
  topology: Topology | null = topologyOfTests,
): Promise<RunResult> {
  // A password is to be no work here.
  const [etcd, flotilla] = await Promise.all([
    Etcd.start(undefined, ['--bcrypt-cost=4', '--auth-token-ttl=100000']),
    InProcessCluster.start(
      1,
      { 'bcrypt-cost': '4', 'auth-token-ttl': '100000', ...(topology === null ? {} : patientElections) },
      topology,
    ),
  ]);
  const channel = openHttp2Channel({ endpoints: [etcd.endpoint] });
  let result: RunResult;
  try {
    // Whoever is asked, the answers are those of one etcd.
    const ours = topology === null ? flotilla.channel(0) : flotilla.spread(operations.length);
    result = await runChannels(operations, channel, ours);
  } finally {
    channel.close();
    await Promise.all([etcd.remove(), flotilla.remove()]);
    rmSync(flotilla.directory, { recursive: true, force: true });
  }
  return { ...result, churn: flotilla.churn };
}

/** Runs the operations at one server and at another, which must be empty, up to the first difference. */
export function runChannels(
  operations: readonly Operation[],
  expected: RpcChannel,
  actual: RpcChannel,
): Promise<RunResult> {
  return new Run(operations, expected, actual).run();
}

class Run {
  readonly #operations: readonly Operation[];
  readonly #etcd: Side;
  readonly #flotilla: Side;
  readonly #slots = new Set<number>();
  readonly #known = new Map<string, number>();
  readonly #byMethod = new Map<string, number>();
  #errors = 0;
  #events = 0;

  constructor(operations: readonly Operation[], etcd: RpcChannel, flotilla: RpcChannel) {
    this.#operations = operations;
    this.#etcd = new Side('etcd', etcd);
    this.#flotilla = new Side('flotilla', flotilla);
  }

  async run(): Promise<RunResult> {
    let difference: Difference | null = null;
    for (let at = 0; at < this.#operations.length && difference === null;) {
      const end = this.#endOfChunk(at);
      difference = await this.#chunk(at, end);
      at = end;
      difference ??= await this.#settle(at - 1);
    }
    return {
      difference,
      operations: this.#operations.length,
      errors: this.#errors,
      events: this.#events,
      byMethod: this.#byMethod,
      known: this.#known,
    };
  }

  /** Before what ends watches, or takes the history away that they tell, all that they have to tell is awaited. */
  #endOfChunk(start: number): number {
    for (let at = start; at < this.#operations.length; at += 1) {
      if (at - start === CHUNK_OPERATIONS) return at;
      const operation = this.#operations[at] as Operation;
      if (operation.kind === 'watch') {
        if (this.#slots.has(operation.slot) && at > start) return at;
        this.#slots.add(operation.slot);
      }
      const endsWatches =
        operation.kind === 'cancel' || (operation.kind === 'call' && operation.method === 'KV/Compact');
      if (endsWatches && at > start) return at;
    }
    return this.#operations.length;
  }

  /** Each side at its own pace. */
  async #chunk(start: number, end: number): Promise<Difference | null> {
    const [etcd, flotilla] = await Promise.all([
      this.#runSide(this.#etcd, start, end),
      this.#runSide(this.#flotilla, start, end),
    ]);
    for (let at = start; at < end; at += 1) {
      const operation = this.#operations[at] as Operation;
      const outcomes = { etcd: etcd[at - start] as Outcome, flotilla: flotilla[at - start] as Outcome };
      const name = operation.kind === 'call' ? operation.method : operation.kind;
      this.#byMethod.set(name, (this.#byMethod.get(name) ?? 0) + 1);
      if ('error' in outcomes.etcd) this.#errors += 1;
      const difference = compareOutcomes(at, operation, outcomes, ({ reason }) => this.#count(reason));
      if (difference !== null) return difference;
    }
    return null;
  }

  async #runSide(side: Side, start: number, end: number): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = start; at < end;) {
      const first = at;
      do at += 1;
      while (at < end && this.#isRead(first) && this.#isRead(at));
      const together = this.#operations.slice(first, at);
      outcomes.push(...(await Promise.all(together.map((operation) => side.run(operation)))));
    }
    return outcomes;
  }

  #count(reason: string): void {
    this.#known.set(reason, (this.#known.get(reason) ?? 0) + 1);
  }

  #isRead(at: number): boolean {
    return isRead(this.#operations[at] as Operation);
  }

  async #settle(at: number): Promise<Difference | null> {
    for (const slot of new Set([...this.#etcd.watches.keys(), ...this.#flotilla.watches.keys()])) {
      const isOpen = this.#etcd.hasOpen(slot) || this.#flotilla.hasOpen(slot);
      const told = (side: Side): Promise<readonly string[]> =>
        isOpen ? side.settle(slot) : Promise.resolve(side.taken(slot));
      const [etcd, flotilla] = await Promise.all([told(this.#etcd), told(this.#flotilla)]);
      this.#events += etcd.length;
      if (watchEndsWithPermission.matches(etcd, flotilla)) {
        this.#count(watchEndsWithPermission.reason);
        this.#etcd.watches.delete(slot);
        this.#flotilla.watches.delete(slot);
        continue;
      }
      for (let i = 0; i < Math.max(etcd.length, flotilla.length); i += 1) {
        if (etcd[i] === flotilla[i]) continue;
        const what = `watch #${slot} tells different events`;
        return { at, what, etcd: etcd[i] ?? 'nothing more', flotilla: flotilla[i] ?? 'nothing more' };
      }
    }
    return null;
  }
}

const CHUNK_OPERATIONS = 200;
