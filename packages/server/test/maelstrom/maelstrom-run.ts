import type { Verdict } from '@flotilla/check';
import { seededRandom } from '@flotilla/platform';
import { LinKv } from './lin-kv.ts';
import { ListAppend } from './list-append.ts';
import type { Partition } from './partitions.ts';
import { Router } from './router.ts';
import type { TestNode } from './test-node.ts';
import type { Asked, Ended, Workload } from './workload.ts';

export const workloads: Readonly<Record<string, () => Workload>> = {
  'lin-kv': () => new LinKv(),
  'txn-list-append': () => new ListAppend(),
};

/** A stretch of a run, with the partition that holds in it. */
export interface Phase {
  /** Null: everybody hears everybody. */
  readonly partition: Partition | null;
  /** It is over when this much time has passed, */
  readonly lastsMs?: number;
  /** and so many requests that were made in it have been answered. */
  readonly answered?: number;
}

export interface MaelstromPlan {
  readonly workload: string;
  readonly nodes: readonly TestNode[];
  /** Requests a second, of all clients. */
  readonly rate: number;
  readonly clientsPerNode: number;
  readonly seed: number;
  readonly phases: readonly Phase[];
  readonly onProgress?: (line: string) => void;
}

export interface MaelstromReport {
  readonly verdict: Verdict;
  /** By what was asked for, and what became of it. */
  readonly counts: ReadonlyMap<string, Readonly<Record<Ended, number>>>;
  /** Answered in each phase, of what was asked for in it. */
  readonly answeredInPhases: readonly number[];
  readonly partitions: number;
  /** Messages between nodes. */
  readonly between: number;
  readonly dropped: number;
  /** What nodes wrote that they must not write. */
  readonly offences: readonly string[];
  readonly latenciesMs: readonly number[];
}

/** Maelstrom's, for a network without latency. */
const CLIENT_TIMEOUT_MS = 1_000;
const INIT_TIMEOUT_MS = 60_000;
/** Reads at the end are asked again until they are answered, but not for ever. */
const LAST_READ_ATTEMPTS = 120;
const LAST_READ_PAUSE_MS = 250;

/** Runs a workload against nodes under partitions, as Maelstrom would, and judges what was answered. */
export async function runMaelstrom(plan: MaelstromPlan): Promise<MaelstromReport> {
  const router = new Router(plan.nodes);
  try {
    await router.init(INIT_TIMEOUT_MS);
    return await new MaelstromRun(plan, router).run();
  } catch (error) {
    const logs = plan.nodes.map(({ id, log }) => `${id}:\n${log.slice(-20).join('\n')}`).join('\n');
    throw new Error(`${String(error)}\n${logs}`, { cause: error });
  } finally {
    await router.stop();
  }
}

class MaelstromRun {
  readonly #plan: MaelstromPlan;
  readonly #router: Router;
  readonly #workload: Workload;
  readonly #counts = new Map<string, Record<Ended, number>>();
  readonly #latenciesMs: number[] = [];
  #answeredInPhase = 0;
  #phase = 0;
  #over = false;

  constructor(plan: MaelstromPlan, router: Router) {
    this.#plan = plan;
    this.#router = router;
    const make = workloads[plan.workload];
    if (make === undefined) throw new Error(`no workload is named ${plan.workload}`);
    this.#workload = make();
  }

  async run(): Promise<MaelstromReport> {
    const traffic = this.#traffic();
    // Whoever fails ends the others.
    const answeredInPhases = await Promise.race([this.#playPhases(), traffic.then(() => [])]);
    this.#over = true;
    await traffic;
    this.#router.cut(new Set());
    await this.#readEverything();
    const { between, dropped, offences } = this.#router;
    return {
      verdict: this.#workload.judge(),
      counts: this.#counts,
      answeredInPhases,
      partitions: this.#plan.phases.filter(({ partition }) => partition !== null).length,
      between,
      dropped,
      offences,
      latenciesMs: this.#latenciesMs.sort((a, b) => a - b),
    };
  }

  async #playPhases(): Promise<readonly number[]> {
    const answered: number[] = [];
    for (const [index, { partition, lastsMs = 0, answered: wanted = 0 }] of this.#plan.phases.entries()) {
      this.#plan.onProgress?.(partition?.name ?? 'no partition');
      this.#router.cut(partition?.cut ?? new Set());
      this.#phase = index;
      this.#answeredInPhase = 0;
      const beginMs = performance.now();
      while (performance.now() < beginMs + lastsMs || this.#answeredInPhase < wanted) {
        if (performance.now() > beginMs + lastsMs + STUCK_MS) {
          throw new Error(`${partition?.name ?? 'no partition'}: ${this.#answeredInPhase} requests answered`);
        }
        await pause(LOOK_MS);
      }
      answered.push(this.#answeredInPhase);
    }
    return answered;
  }

  /** Each client has one request open at a time, and one that waits is drawn when the next is due. */
  async #traffic(): Promise<void> {
    const { nodes, clientsPerNode, rate, seed } = this.#plan;
    const random = seededRandom(seed);
    const idle = Array.from({ length: nodes.length * clientsPerNode }, (_, client) => client);
    const open = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | null = null;
    let dueMs = performance.now();
    while (!this.#over && failure === null) {
      dueMs = Math.max(dueMs + (random.float() * 2_000) / rate, performance.now() - BEHIND_MS);
      const aheadMs = dueMs - performance.now();
      if (aheadMs > 0) await pause(aheadMs);
      if (idle.length === 0) continue;
      const [client] = idle.splice(random.below(idle.length), 1) as [number];
      const asked = this.#workload.next(client, random);
      const call = this.#call(client, asked).then(
        () => {
          idle.push(client);
          open.delete(call);
        },
        (error: unknown) => {
          failure ??= { error };
        },
      );
      open.add(call);
    }
    await Promise.all(open);
    if (failure !== null) throw (failure as { readonly error: unknown }).error;
  }

  async #call(client: number, asked: Asked): Promise<Ended> {
    const phase = this.#phase;
    const node = this.#plan.nodes[client % this.#plan.nodes.length] as TestNode;
    const ended = asked.begin();
    const startMs = performance.now();
    const reply = await this.#router.ask(`c${client + 1}`, node.id, asked.body, CLIENT_TIMEOUT_MS);
    const end = ended(reply);
    const counts = this.#counts.get(asked.kind) ?? { ok: 0, failed: 0, unknown: 0 };
    this.#counts.set(asked.kind, counts);
    counts[end] += 1;
    if (end === 'ok') {
      this.#latenciesMs.push(performance.now() - startMs);
      if (phase === this.#phase) this.#answeredInPhase += 1;
    }
    return end;
  }

  /** Through every node, so that one that has another state shows. */
  async #readEverything(): Promise<void> {
    for (const [index, { id }] of this.#plan.nodes.entries()) {
      for (const asked of this.#workload.lastReads(index)) {
        for (let attempt = 1; (await this.#call(index, asked)) !== 'ok'; attempt += 1) {
          if (attempt === LAST_READ_ATTEMPTS) throw new Error(`${id} does not answer a last read`);
          await pause(LAST_READ_PAUSE_MS);
        }
      }
    }
  }
}

const LOOK_MS = 10;
/** A phase in which so little is answered for so long will not end. */
const STUCK_MS = 120_000;
/** What a machine that stood still does not catch up with. */
const BEHIND_MS = 200;

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
