import { randomUUID } from 'node:crypto';
import {
  checkLinearizability,
  describeVerdict,
  History,
  keyValueModel,
  type KeyValueOperation,
  type KeyValueResult,
} from '@flotilla/check';
import { type Logger, type Platform, type Random, seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import type { RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { type ClientWire, reliableWire } from '../../simulation/scenarios/client-wire.ts';
import { type ClientHome, KvClient } from '../../simulation/scenarios/kv-client.ts';
import type { Measure } from '../../simulation/scenarios/lab-result.ts';
import { type MemberProcess, pause, type ProcessCluster } from './process-cluster.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Members as real processes, and clients of the simulated scenarios that speak gRPC to them. */
export class KvProcessLab implements ClientHome {
  readonly cluster: ProcessCluster;
  readonly history = new History<KeyValueOperation, KeyValueResult>(() => performance.now());
  readonly sessionPrefix = `${randomUUID()}.`;
  readonly measures: Measure[] = [];
  wire: ClientWire = reliableWire;
  readonly tape: ClientHome['tape'];
  readonly #platform: Platform;
  /** False: a machine that is busy with other tests says nothing about thresholds of time. */
  readonly #enforcesTimes: boolean;
  readonly #failures: string[] = [];
  #clients = 0;

  constructor(cluster: ProcessCluster, seed: number, enforcesTimes: boolean) {
    this.cluster = cluster;
    this.#enforcesTimes = enforcesTimes;
    const random: Random = seededRandom(seed);
    this.tape = {
      choose: (count) => random.below(count),
      chance: (numerator, denominator) => random.below(denominator) < numerator,
    };
    this.#platform = nodePlatform({
      nodeName: 'clients',
      logger: silent,
      onFatal: (error) => this.failed(error.message),
    });
  }

  get memberNames(): readonly string[] {
    return this.cluster.members.map(({ endpoint }) => endpoint);
  }

  get now(): number {
    return performance.now();
  }

  open(_platform: Platform, endpoint: string): RpcChannel {
    return openHttp2Channel({ endpoints: [endpoint] });
  }

  failed(message: string): void {
    this.#failures.push(message);
  }

  /** Resolves when the client's code has ended, and rejects with what went wrong anywhere. */
  async client(body: (client: KvClient) => Promise<void>): Promise<void> {
    this.#clients += 1;
    await new KvClient(this, this.#clients, body).main(this.#platform);
    this.#throwFailure();
  }

  /** The same for several at once. */
  async clients(count: number, body: (client: KvClient, index: number) => Promise<void>): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, (_, index) => this.client((client) => body(client, index))),
    );
  }

  async killAll(): Promise<void> {
    await Promise.all(this.cluster.members.map((member) => this.cluster.kill(member)));
  }

  async restartAll(): Promise<void> {
    await Promise.all(this.cluster.members.map((member) => this.cluster.restart(member)));
  }

  async leader(): Promise<MemberProcess> {
    return await this.cluster.leader(20_000);
  }

  othersThan(member: MemberProcess): MemberProcess[] {
    return this.cluster.members.filter((other) => other !== member);
  }

  sleep(durationMs: number): Promise<void> {
    return pause(durationMs);
  }

  measure(what: string, value: number, limit: number, unit: string): void {
    this.measures.push({ what, value, limit, unit });
    if (!this.#enforcesTimes) return;
    this.expect(value <= limit, `${what}: ${Math.round(value)} ${unit}, at most ${limit} allowed`);
  }

  expect(fine: boolean, message: string): void {
    if (!fine) throw new Error(message);
  }

  /** Everything that clients saw was one history. A checker that cannot tell has failed. */
  judge(): void {
    this.#throwFailure();
    const { verdict } = checkLinearizability(keyValueModel, this.history.calls);
    this.expect(verdict.outcome === 'ok', describeVerdict(verdict));
  }

  #throwFailure(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw new Error(failure);
  }
}
